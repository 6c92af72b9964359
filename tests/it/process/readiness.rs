//! `/readyz` of the real process: what turns it, what it only names, and that it turns back.

use std::net::TcpStream;

use fake_github::{Fault, Hold, Level, World};
use serde_json::{Value, json};

use crate::binary::{LOOKED_AT_EVERY, until, within};
use crate::process::{Service, with_admin};
use crate::scene::{Cast, acme};

const REGISTER: &str = "token-register?team=payments";
const MINT: &str = "/app/installations/{installation_id}/access_tokens";

/// A service that works, and whoever asks it.
async fn ready() -> (Service, Cast) {
    let (world, cast) = acme();
    let service = Service::with(world, with_admin()).await;
    becomes(&service, 200, "ready", &json!(true)).await;
    (service, cast)
}

/// Waits until this part is so, which doesn't turn readiness; gives the whole.
async fn names(service: &Service, part: &str, is_good: bool) -> Value {
    let named = async {
        loop {
            let answer = service.admin("/readyz").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let body = answer.json();
            if body[part]["ok"] == is_good {
                return body;
            }
            tokio::time::sleep(LOOKED_AT_EVERY).await;
        }
    };
    within("another readiness", named).await
}

/// Waits until readiness is answered with this status, and gives its text.
async fn turns(service: &Service, status: u16) -> Value {
    let turned = async {
        loop {
            let answer = service.admin("/readyz").await;
            if answer.status == status {
                return answer.json();
            }
            tokio::time::sleep(LOOKED_AT_EVERY).await;
        }
    };
    within("another readiness", turned).await
}

/// Waits until readiness is answered with this status; then this part must be so.
async fn becomes(service: &Service, status: u16, part: &str, expected: &Value) {
    let body = turns(service, status).await;
    let found = if body[part].is_object() { &body[part]["ok"] } else { &body[part] };
    assert_eq!(found, expected, "{part} of {body}");
    assert_eq!(body["ready"], status == 200);
    assert_eq!(service.admin("/livez").await.status, 200, "alive all the while");
}

/// A certificate for `localhost` that ends on this day, and its key.
fn certificate_until(end: chrono::DateTime<chrono::Utc>) -> (String, String) {
    use chrono::Datelike;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let (month, day) = (u8::try_from(end.month()).unwrap(), u8::try_from(end.day()).unwrap());
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(end.year(), month, day);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn replace_certificate(service: &Service, (certificate, key): &(String, String)) {
    std::fs::write(service.path("tls.key"), key).unwrap();
    std::fs::write(service.path("tls.crt"), certificate).unwrap();
    service.binary.signal("HUP");
}

#[tokio::test]
async fn a_certificate_that_ended_turns_it_and_one_about_to_end_is_told() {
    let (service, _) = ready().await;
    let in_two_days = chrono::Utc::now() + chrono::TimeDelta::days(2);
    replace_certificate(&service, &certificate_until(in_two_days));
    service.binary.stdout.with("the TLS certificate was replaced").await;
    // Clients accept it still, so taking the service away would only bring the end forward.
    let body = turns(&service, 200).await;
    let left = body["certificate"]["expires_in_seconds"].as_i64().unwrap();
    assert!((86_400..=2 * 86_400).contains(&left), "{body}");
    let metrics = service.admin("/metrics").await.text;
    let expiry = format!(
        "arm_certificate_expiry_timestamp_seconds {}\n",
        in_two_days.date_naive().and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
    );
    assert!(metrics.contains(&expiry), "{metrics}");

    replace_certificate(&service, &certificate_until(chrono::Utc::now() - chrono::TimeDelta::days(2)));
    becomes(&service, 503, "certificate", &json!(false)).await;
    replace_certificate(&service, &fake_github::self_signed(&["localhost"]).unwrap());
    becomes(&service, 200, "certificate", &json!(true)).await;
    service.stop().await;
}

#[tokio::test]
async fn an_installation_token_that_can_not_be_had_is_named() {
    let (service, cast) = ready().await;
    service.call("POST", REGISTER, &cast.ada).await.response();
    service.fake.inject(Fault::on("POST", MINT).error(500, "Server Error"));
    service.fake.world(World::revoke_installation_tokens);
    assert!(service.call("POST", REGISTER, &cast.ada).await.status >= 500);
    names(&service, "credential", false).await;
    service.fake.clear_faults();
    service.call("POST", REGISTER, &cast.ada).await.response();
    names(&service, "credential", true).await;
    service.stop().await;
}

#[tokio::test]
async fn a_suspended_app_is_named_until_it_is_resumed() {
    let (service, _) = ready().await;
    service.fake.world(World::suspend_app);
    // It would be noticed within ten minutes; whoever asks for it sees it now.
    service.binary.signal("HUP");
    let body = names(&service, "credential", false).await;
    assert_eq!(body["credential"]["problem"], "suspended", "{body}");
    service.fake.world(World::resume_app);
    service.binary.signal("HUP");
    names(&service, "credential", true).await;
    service.stop().await;
}

#[tokio::test]
async fn a_permission_that_was_withdrawn_is_named() {
    let (service, _) = ready().await;
    let with = |runners| {
        service.fake.world(|world| {
            let others = [("metadata", Level::Read), ("members", Level::Read)];
            let all = [&others[..], &[("organization_self_hosted_runners", runners)]].concat();
            world.set_app_permissions(&all);
        });
        service.binary.signal("HUP");
    };
    with(Level::Read);
    let body = names(&service, "permissions", false).await;
    let problem = body["permissions"]["problem"].as_str().unwrap();
    assert!(problem.contains("Self-hosted runners: read and write"), "{body}");
    with(Level::Write);
    names(&service, "permissions", true).await;
    service.stop().await;
}

#[tokio::test]
async fn told_to_stop_it_is_not_ready_until_it_is_gone() {
    let (service, cast) = ready().await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("GET", "/user").hold(&hold));
    let answer = service.call_aside("GET", "status", &cast.ada);
    within("the call to GitHub", hold.arrived(1)).await;
    service.binary.signal("TERM");
    becomes(&service, 503, "draining", &json!(true)).await;
    let port = service.port;
    until("a refused connection", || TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    becomes(&service, 503, "draining", &json!(true)).await;
    hold.release();
    within("the answer", answer).await.unwrap().response();
    assert_eq!(service.binary.ended().await.code, 0);
}
