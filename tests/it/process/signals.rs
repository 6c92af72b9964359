//! SIGTERM and SIGINT: nothing that is under way is lost.

use std::net::TcpStream;
use std::time::Instant;

use actions_runner_manager::server::DRAIN;
use fake_github::{Fault, Hold};
use serde_json::json;

use crate::binary::{until, within};
use crate::process::Service;
use crate::scene::{acme, acme_with_groups};

const GROUPS: &str = "/orgs/{org}/actions/runner-groups";

async fn refuses_connections(service: &Service) {
    let port = service.port;
    until("a refused connection", || TcpStream::connect(("127.0.0.1", port)).is_err()).await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_completely_and_nobody_new_is_let_in() {
    for signal in ["TERM", "INT"] {
        let (world, cast, _) = acme_with_groups();
        let service = Service::start(world).await;
        let hold = Hold::new();
        service.fake.inject(Fault::on("GET", "/user").hold(&hold));
        let answer = service.call_aside("GET", "group-list?team=payments", &cast.ada);
        within("the call to GitHub", hold.arrived(1)).await;
        service.binary.signal(signal);
        refuses_connections(&service).await;
        assert!(service.binary.is_running());
        hold.release();
        let answer = within("the answer", answer).await.unwrap();
        assert_eq!(answer.response(), json!({ "repos": ["web"], "runners": [] }));
        let ended = service.binary.ended().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{signal}");
        let last = service.binary.stdout.json().pop().unwrap();
        assert_eq!(last["message"], "stopped", "the log is complete");
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_holds_nothing_up() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    service.call("GET", "status", &cast.ada).await.response();
    let silent = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
    let told = Instant::now();
    service.stop().await;
    assert!(told.elapsed() < DRAIN / 2, "{:?}", told.elapsed());
    drop(silent);
}

#[tokio::test]
async fn a_write_whose_caller_hung_up_while_draining_is_seen_to_its_end_and_audited() {
    let (world, cast) = acme();
    let service = Service::start(world).await;
    let hold = Hold::new();
    service.fake.inject(Fault::on("POST", GROUPS).hold(&hold));
    let caller = service.call_aside("POST", "group-add?team=payments", &cast.ada);
    within("the write", hold.arrived(1)).await;
    service.binary.signal("TERM");
    refuses_connections(&service).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert!(service.binary.is_running());
    hold.release();
    assert_eq!(service.binary.ended().await.code, 0);
    assert!(service.fake.world(|world| world.group_by_name("payments").is_some()));
    let audit: Vec<_> =
        service.binary.stdout.json().into_iter().filter(|line| line["target"] == "audit").collect();
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!((&audit[0]["outcome"], &audit[0]["group"]), (&json!("success"), &json!("payments")));
    assert!(audit[0]["group_id"].is_u64() && audit[0]["github_request_ids"][0].is_string(), "{audit:?}");
}

#[tokio::test]
async fn it_ends_while_github_is_still_being_asked_whether_the_credential_works() {
    let (world, _) = acme();
    let fake = crate::harness::fake(world);
    fake.go_down();
    let service = Service::in_front_of(fake, json!({})).await;
    service.binary.stdout.with("not ready yet").await;
    service.stop().await;
}
