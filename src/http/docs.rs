//! The description of the API for programs and for people: `/openapi.json`, and `/docs`, a page that is made of it and
//! loads nothing from elsewhere. Whoever comes to `/` is shown that page.

use actix_web::http::header;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpResponse, web};

use super::{openapi, read_only};

/// The page runs its own script and style sheet, and talks to this host; nothing else, and nothing may frame it.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Path, content type, and what makes the text.
type File = (&'static str, &'static str, fn() -> &'static str);

const PAGE: &str = "/docs";
const FILES: [File; 4] = [
    ("/openapi.json", "application/json", openapi::compact),
    (PAGE, "text/html; charset=utf-8", || include_str!("docs/index.html")),
    ("/docs/docs.css", "text/css; charset=utf-8", || include_str!("docs/docs.css")),
    ("/docs/docs.js", "text/javascript; charset=utf-8", || include_str!("docs/docs.js")),
];

/// Adds the routes. They need no token: they tell nothing that isn't public.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    for (path, kind, text) in FILES {
        let answer = move || {
            let answer = HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, kind))
                .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
                .insert_header((header::REFERRER_POLICY, NO_REFERRER))
                .body(text());
            std::future::ready(answer)
        };
        config.service(read_only(path, answer));
    }
    // Not for ever: the page may be switched off.
    let to_page =
        || std::future::ready(HttpResponse::Found().insert_header((header::LOCATION, PAGE)).finish());
    config.service(read_only("/", to_page));
}
