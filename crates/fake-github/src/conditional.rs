//! Conditional requests. GitHub's entity tags are weak and differ from credential to credential: after an installation
//! token was replaced, those got with the old one never match.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::answer::{Answer, Body};
use crate::request::Request;

/// Puts an `etag` on a 200 to a GET, and turns it into a 304 when the client has just that. True when it did.
pub(crate) fn revalidate(request: &Request, answer: &mut Answer) -> bool {
    if request.method != "GET" || answer.status != 200 {
        return false;
    }
    answer.render();
    let tag = tag(request, answer);
    let unchanged = request.header_values("if-none-match").any(|known| knows(known, &tag));
    answer.headers.push(("etag".to_owned(), format!("W/\"{tag}\"")));
    if unchanged {
        answer.status = 304;
        answer.body = Body::Nothing;
    }
    unchanged
}

fn tag(request: &Request, answer: &Answer) -> String {
    let mut context = Context::new(&SHA256);
    for credential in request.header_values("authorization") {
        // `Bearer x` and `token x` are the same credential.
        let secret = credential.trim().split_once(' ').map_or(credential, |(_, secret)| secret.trim());
        context.update(secret.as_bytes());
    }
    context.update(b"\n");
    context.update(&answer.bytes());
    URL_SAFE_NO_PAD.encode(context.finish())
}

/// Whether an `If-None-Match` names this tag, compared weakly.
fn knows(header: &str, tag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).trim_matches('"') == tag)
}
