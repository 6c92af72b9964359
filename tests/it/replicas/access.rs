//! Callers who are no users are the same to all processes: what they may do, how much, and what they did.

use actions_runner_manager::domain::entry::TeamToken;
use fake_github::Run;

use super::limits::{accepted, fallbacks};
use super::records::IN_FORCE;
use super::*;
use crate::scene::{Cast, acme_with_groups};
use crate::workloads::{AUDIENCE, OF_MAIN, actions, run, with};

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
const LINUX: [(&str, &str); 2] = [("team", "payments"), ("labels", "linux")];
const OPERATIONS: (&str, &str) = ("operations", "jitconfig-generate,group-list,runners-remove");
/// A limit, and how long it is tried.
const RATE: f64 = 5.0;
const TIME: Duration = Duration::from_secs(20);
/// As for users.
const TOLERANCE: f64 = 0.1;

/// Processes that accept tokens of GitHub Actions and have read the entries, of which there are none yet.
async fn start(extra: Value) -> (Fleet, Cast) {
    let (world, cast, _) = acme_with_groups();
    let fleet = Fleet::start(world, actions(&extra)).await;
    for replica in 0..REPLICAS {
        list(&fleet, replica, &token(&fleet)).await.is_refused(403, "not_trusted");
    }
    (fleet, cast)
}

/// A new token of the workflow.
fn token(fleet: &Fleet) -> String {
    token_of(fleet, &run())
}

fn token_of(fleet: &Fleet, run: &Run) -> String {
    format!("Bearer {}", fleet.fake.actions_token(run, AUDIENCE))
}

async fn list(fleet: &Fleet, replica: usize, token: &str) -> Answer {
    fleet.call(replica, "GET", "group-list", token, &PAYMENTS).await
}

async fn generate(fleet: &Fleet, replica: usize, token: &str) -> Answer {
    fleet.call(replica, "POST", "jitconfig-generate", token, &LINUX).await
}

/// Adds an entry; gives its id and, if it is of one, the team token.
async fn add(fleet: &Fleet, replica: usize, ada: &str, fields: &[(&str, &str)]) -> (String, String) {
    let parameters: Vec<_> = PAYMENTS.iter().chain(fields).copied().collect();
    let added = fleet.call(replica, "POST", "access-add", ada, &parameters).await.response();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&added["access"]["id"]), text(&added["token"]))
}

async fn remove(fleet: &Fleet, replica: usize, ada: &str, id: &str) {
    let parameters = [("team", "payments"), ("id", id)];
    fleet.call(replica, "DELETE", "access-remove", ada, &parameters).await.response();
}

/// Waits until each process answers the callers with these tokens so.
async fn each_answers(fleet: &Fleet, callers: &[(&str, u16)]) {
    let begun = Instant::now();
    for replica in 0..REPLICAS {
        for (token, status) in callers {
            let what = format!("{status} on replica {replica}");
            let is_so = async || fleet.ask(replica, "GET", "group-list", token, &PAYMENTS).await.0 == *status;
            until(IN_FORCE.saturating_sub(begun.elapsed()), &what, is_so).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn an_entry_that_changes_on_one_is_so_on_the_others_within_five_seconds() {
    let (fleet, cast) = start(json!({})).await;
    let shown = token(&fleet);
    for adds in 0..REPLICAS {
        let (entry, _) = add(&fleet, adds, &cast.ada, &with(&OF_MAIN, &[OPERATIONS])).await;
        let fields = [("kind", "token"), ("operations", "group-list")];
        let (of_token, team_token) = add(&fleet, adds, &cast.ada, &fields).await;
        assert!(TeamToken::parse(&team_token).is_some());
        each_answers(&fleet, &[(&shown, 200), (&team_token, 200)]).await;
        let removes = (adds + 1) % REPLICAS;
        remove(&fleet, removes, &cast.ada, &entry).await;
        remove(&fleet, removes, &cast.ada, &of_token).await;
        each_answers(&fleet, &[(&shown, 403), (&team_token, 401)]).await;
        for replica in &fleet.replicas {
            assert_eq!(replica.lines_with(&team_token), 0, "a team token is in the output");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_token_makes_one_change_whichever_process_it_is_shown_to() {
    let (fleet, cast) = start(json!({})).await;
    add(&fleet, 0, &cast.ada, &with(&OF_MAIN, &[OPERATIONS])).await;
    each_answers(&fleet, &[(&token(&fleet), 200)]).await;
    let used = token(&fleet);
    generate(&fleet, 0, &used).await.response();
    for replica in (0..REPLICAS).rev() {
        generate(&fleet, replica, &used).await.is_refused(401, "token_used");
        list(&fleet, replica, &used).await.response();
    }
    let before = runners_given(&fleet);
    for _ in 0..5 {
        let shown = token(&fleet);
        let all = (0..REPLICAS).map(|replica| generate(&fleet, replica, &shown));
        let answers = futures_util::future::join_all(all).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(made.len(), 1, "{answers:?}");
        for answer in refused {
            answer.is_refused(401, "token_used");
        }
    }
    assert_eq!(runners_given(&fleet) - before, 5);
}

fn runners_given(fleet: &Fleet) -> usize {
    fleet.fake.world(|world| world.jit_configs().len())
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn runners_that_an_entry_was_given_by_one_process_it_removes_through_another() {
    let (fleet, cast) = start(json!({})).await;
    let fields = with(&OF_MAIN, &[OPERATIONS]);
    add(&fleet, 0, &cast.ada, &fields).await;
    add(&fleet, 1, &cast.ada, &with(&fields, &[("ref", "refs/heads/topic")])).await;
    let topic = || token_of(&fleet, &run().git_ref("refs/heads/topic"));
    each_answers(&fleet, &[(&token(&fleet), 200), (&topic(), 200)]).await;
    let given = async |replica, token: &str| {
        let response = generate(&fleet, replica, token).await.response();
        response["runner"]["name"].as_str().unwrap().to_owned()
    };
    let of_main = given(0, &token(&fleet)).await;
    let of_topic = given(1, &topic()).await;
    let of_ada = given(2, &cast.ada).await;
    let remove = async |replica, token: &str, others: &[(&str, &str)]| {
        let parameters: Vec<_> = PAYMENTS.iter().chain(others).copied().collect();
        fleet.call(replica, "DELETE", "runners-remove", token, &parameters).await
    };
    for name in [&of_topic, &of_ada] {
        remove(1, &token(&fleet), &[("names", name)]).await.is_refused(404, "runner_not_found");
    }
    for (replica, token, expected) in [(1, token(&fleet), &of_main), (2, topic(), &of_topic)] {
        let removed = remove(replica, &token, &[("offline", "true")]).await.response();
        assert_eq!(removed["removed"].as_array().map(Vec::len), Some(1), "{removed}");
        assert_eq!(removed["removed"][0]["name"], expected.as_str());
    }
    let is_left = |name: &str| fleet.fake.world(|world| world.runner_by_name(name).is_some());
    assert_eq!([of_main, of_topic, of_ada].map(|name| is_left(&name)), [false, false, true]);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn the_rate_limit_of_a_repository_counts_over_all_of_them_whatever_token_is_shown() {
    let (fleet, _) = start(json!({ "server": { "rateLimit": RATE, "rateBurst": RATE } })).await;
    // Nobody asked for it before.
    let api = Run::of("acme", "api");
    let tokens: Vec<_> = (0..REPLICAS).map(|_| token_of(&fleet, &api)).collect();
    let all = tokens.iter().enumerate().map(|(replica, token)| accepted(&fleet, replica, token, 10, TIME));
    let each = futures_util::future::join_all(all).await;
    let (accepted, alone) = (f64::from(each.iter().sum::<u32>()), fallbacks(&fleet).await);
    let expected = RATE * (1.0 + TIME.as_secs_f64());
    println!("{each:?}, {expected} expected, {alone} decided alone");
    let range = expected * (1.0 - TOLERANCE)..=expected * (1.0 + TOLERANCE) + alone;
    assert!(range.contains(&accepted), "{accepted} is not in {range:?}: {each:?}");
}
