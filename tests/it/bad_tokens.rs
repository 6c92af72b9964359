//! Floods of tokens that nobody has: they cost those who send them, and nobody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actions_runner_manager::access::{AccessError, Caller, ShownToken};
use actions_runner_manager::github::{CircuitState, Class};
use actions_runner_manager::limits::AddressLimiter;
use fake_github::{Fault, Hold, TokenKind};
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::App;
use crate::scene::acme;

const USER: &str = "/user";
/// How long GitHub's word on a token is believed.
const MINUTE: Duration = Duration::from_mins(1);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Forgives a refused token in a quarter of an hour.
fn slow_to_forgive() -> serde_json::Value {
    json!({ "server": { "unknownTokenRate": 0.001 } })
}

/// Asks the running service whose a token is, as its requests do.
async fn identify(app: &App, token: &str, from: IpAddr) -> Result<Caller, AccessError> {
    let token = ShownToken::from_header(token).unwrap();
    let state = app.server.state().clone();
    state.authentication.identify(&token, from).await.map(|requester| requester.user().unwrap().clone())
}

/// Sends bad tokens over HTTP until the address is at its limit, which it has not used any of.
async fn use_up_the_limit(app: &App, named: &str) {
    for number in 0..20 {
        let answer = app.call("GET", "status", &format!("ghp_{named}{number}"), &[]).await;
        answer.is_refused(401, "invalid_token");
    }
    app.call("GET", "status", &format!("ghp_{named}"), &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn forty_users_behind_an_address_are_served_while_it_sends_28_bad_tokens_a_second() {
    let (mut world, cast) = acme();
    let users: Vec<_> = (0..40).map(|_| world.add_token(cast.ada_id, TokenKind::Classic)).collect();
    let app = App::with(world, json!({ "server": { "unknownTokenRate": 5 } })).await;
    for user in &users {
        app.call("GET", "status", user, &[]).await.response();
    }
    let mut limited = 0;
    for second in 0..68 {
        let bad: Vec<_> = (0..28).map(|number| format!("ghp_bad{second}x{number}")).collect();
        let (bad, good) = tokio::join!(
            join_all(bad.iter().map(|token| identify(&app, token, HERE))),
            join_all(users.iter().skip(second % 8).step_by(8).map(|user| app.call(
                "GET",
                "status",
                user,
                &[]
            ))),
        );
        limited += bad.iter().filter(|outcome| is_limited(outcome)).count();
        for answer in good {
            answer.response();
        }
        app.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(68 * 28 - limited, 20 + 67 * 5, "what was looked up of the bad tokens");
    assert_eq!(app.fake.count("GET", USER), 2 * users.len() + 20 + 67 * 5, "each user was looked up again");
}

fn is_limited(outcome: &Result<Caller, AccessError>) -> bool {
    matches!(outcome, Err(AccessError::TooManyUnknownTokens { .. }))
}

#[tokio::test]
async fn a_thousand_bad_tokens_at_once_are_not_looked_up_before_the_first_are_counted() {
    let (world, _) = acme();
    let app = App::with(world, slow_to_forgive()).await.settled().await;
    let tokens: Vec<_> = (0..1_000).map(|number| format!("ghp_bad{number}")).collect();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", USER).hold(&hold));
    let release = async {
        hold.arrived(6).await;
        hold.release();
    };
    let (outcomes, ()) =
        tokio::join!(join_all(tokens.iter().map(|token| identify(&app, token, HERE))), release);
    assert_eq!(outcomes.iter().filter(|outcome| is_limited(outcome)).count(), 980);
    assert_eq!(app.fake.count("GET", USER), 20);
}

#[tokio::test]
async fn any_number_of_good_tokens_may_come_from_one_address_at_once() {
    let (mut world, cast) = acme();
    let tokens: Vec<_> = (0..200).map(|_| world.add_token(cast.ada_id, TokenKind::Classic)).collect();
    let app = App::with(world, slow_to_forgive()).await;
    let outcomes = join_all(tokens.iter().map(|token| identify(&app, token, HERE))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{:?}", outcomes.iter().find(|outcome| outcome.is_err()));
    use_up_the_limit(&app, "bad").await;
}

#[tokio::test]
async fn a_bad_token_counts_also_when_its_sender_hangs_up_early() {
    let (world, _) = acme();
    let app = Arc::new(App::with(world, slow_to_forgive()).await);
    for round in 0..4 {
        let hold = Hold::new();
        app.fake.inject(Fault::on("GET", USER).hold(&hold).times(5));
        let ask = |number| {
            let app = app.clone();
            tokio::spawn(async move { identify(&app, &format!("ghp_bad{round}x{number}"), HERE).await })
        };
        let callers: Vec<_> = (0..5).map(ask).collect();
        hold.arrived(5).await;
        callers.iter().for_each(tokio::task::JoinHandle::abort);
        for caller in callers {
            assert!(caller.await.unwrap_err().is_cancelled());
        }
        hold.release();
    }
    app.call("GET", "status", "ghp_bad", &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn a_good_token_whose_sender_hung_up_is_known_all_the_same() {
    let (world, cast) = acme();
    let app = Arc::new(App::with(world, slow_to_forgive()).await.settled().await);
    for number in 0..19 {
        app.call("GET", "status", &format!("ghp_bad{number}"), &[]).await.is_refused(401, "invalid_token");
    }
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", USER).hold(&hold).once());
    let (caller, token) = (app.clone(), cast.ada.clone());
    let caller = tokio::spawn(async move { identify(&caller, &token, HERE).await });
    hold.arrived(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    hold.release();
    // Nobody knows whether hers would be the last that may be refused, so his look-up waits for the outcome.
    app.call("GET", "status", &cast.bob, &[]).await.response();
    app.call("GET", "status", &cast.ada, &[]).await.response();
    assert_eq!(app.fake.count("GET", USER), 19 + 2);
}

#[tokio::test]
async fn what_github_does_wrong_counts_against_nobody() {
    let (world, cast) = acme();
    let app = App::with(world, slow_to_forgive()).await;
    let lock_out = "Maximum number of login attempts exceeded. Please try again later.";
    for (fault, status) in [
        (Fault::on("GET", USER).error(418, "I'm a teapot"), 502),
        (Fault::on("GET", USER).error(404, "Not Found"), 502),
        (Fault::on("GET", USER).error(403, lock_out), 502),
        (Fault::on("GET", USER).wrong_shape(), 502),
        (Fault::on("GET", USER).secondary_limit(Duration::from_secs(30)), 503),
    ] {
        app.fake.inject(fault);
        for number in 0..25 {
            let answer = app.call("GET", "status", &format!("ghp_any{status}x{number}"), &[]).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        app.fake.clear_faults();
        app.clock.advance(MINUTE);
    }
    app.call("GET", "status", &cast.ada, &[]).await.response();
}

#[tokio::test]
async fn a_token_that_was_good_in_the_last_day_is_looked_up_whatever_its_address_sent() {
    let (world, cast) = acme();
    let app = App::with(world, slow_to_forgive()).await;
    let (second, nearly_a_day) = (Duration::from_secs(1), Duration::from_secs(24 * 3_600 - 1));
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.clock.advance(nearly_a_day);
    use_up_the_limit(&app, "bad").await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    app.clock.advance(nearly_a_day + second);
    use_up_the_limit(&app, "bad").await;
    app.call("GET", "status", &cast.ada, &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn a_good_token_that_was_revoked_is_an_unknown_one_from_then_on_and_counts() {
    let (world, cast) = acme();
    let app = App::with(world, slow_to_forgive()).await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    for number in 0..19 {
        app.call("GET", "status", &format!("ghp_bad{number}"), &[]).await.is_refused(401, "invalid_token");
    }
    app.fake.world(|world| world.revoke_token(&cast.ada));
    app.clock.advance(MINUTE);
    app.call("GET", "status", &cast.ada, &[]).await.is_refused(401, "invalid_token");
    app.call("GET", "status", "ghp_bad", &[]).await.is_refused(429, "rate_limited");
    app.clock.advance(Duration::from_secs(10));
    app.call("GET", "status", &cast.ada, &[]).await.is_refused(429, "rate_limited");
}

#[tokio::test]
async fn new_limits_start_the_counts_anew_and_forget_no_good_token() {
    let (world, cast) = acme();
    let app = App::with(world, slow_to_forgive()).await;
    app.call("GET", "status", &cast.ada, &[]).await.response();
    use_up_the_limit(&app, "before").await;
    let changed = AddressLimiter::new(0.002, app.clock.clone());
    app.server.state().authentication.identities.limit_unknown_tokens(changed);
    use_up_the_limit(&app, "after").await;
    app.clock.advance(MINUTE);
    app.call("GET", "status", &cast.bob, &[]).await.is_refused(429, "rate_limited");
    app.call("GET", "status", &cast.ada, &[]).await.response();
}

#[tokio::test]
async fn bad_tokens_from_160_networks_make_no_maintainer_overloaded() {
    let (world, cast) = acme();
    let app = Arc::new(App::with(world, slow_to_forgive()).await.settled().await);
    let register = || app.call("POST", "token-register", &cast.ada, &[("team", "payments")]);
    register().await.response();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", USER).hold(&hold).times(6));
    let ask = |number: u8| {
        let app = app.clone();
        let from = IpAddr::from([192, 0, 2, number % 160]);
        tokio::spawn(async move { identify(&app, &format!("ghp_bad{number}"), from).await })
    };
    let first: Vec<_> = (0..6).map(ask).collect();
    hold.arrived(6).await;
    let flood = |round: u32| {
        let app = app.clone();
        move |number: u8| {
            let app = app.clone();
            let token = format!("ghp_flood{round}x{number}");
            tokio::spawn(async move { identify(&app, &token, [192, 0, 2, number].into()).await })
        }
    };
    let rest: Vec<_> = (0..3).flat_map(|round| (0..160).map(flood(round))).collect();
    let (turned_away, waiting): (Vec<_>, Vec<_>) = settle(&app, rest).await;
    assert_eq!((turned_away.len(), waiting.len()), (480 - 256, 256));
    assert!(turned_away.iter().all(is_overloaded));
    // What she is known for, and then a renewal, with all that GitHub's slowness holds up still there.
    register().await.response();
    app.clock.advance(MINUTE);
    register().await.response();
    assert_eq!(
        app.server.state().organisation.github.load(),
        (0, 0),
        "no call of work waits behind a stranger"
    );
    app.call("GET", "status", &cast.bob, &[]).await.is_refused(503, "overloaded");
    hold.release();
    for outcome in join_all(first.into_iter().chain(waiting)).await {
        assert!(matches!(outcome.unwrap(), Err(AccessError::InvalidToken)));
    }
}

type Task = tokio::task::JoinHandle<Result<Caller, AccessError>>;

/// Waits until no more callers than fit into the queue are left, and gives the outcomes of those that didn't.
async fn settle(app: &App, tasks: Vec<Task>) -> (Vec<Result<Caller, AccessError>>, Vec<Task>) {
    while tasks.iter().filter(|task| !task.is_finished()).count() > 256 {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.server.state().organisation.github.look_ups(), (6, 256));
    let (ended, waiting): (Vec<_>, Vec<_>) = tasks.into_iter().partition(Task::is_finished);
    (join_all(ended).await.into_iter().map(Result::unwrap).collect(), waiting)
}

fn is_overloaded(outcome: &Result<Caller, AccessError>) -> bool {
    matches!(outcome, Err(AccessError::Github(error)) if *error.class() == Class::Overloaded)
}

#[tokio::test]
async fn failing_look_ups_of_strangers_do_not_open_the_circuit() {
    let (world, cast) = acme();
    let app = App::start(world).await;
    app.call("POST", "token-register", &cast.ada, &[("team", "payments")]).await.response();
    app.fake.inject(Fault::on("GET", USER).error(502, "Bad Gateway"));
    let tokens: Vec<_> = (0..12).map(|number| format!("ghp_bad{number}")).collect();
    let outcomes = join_all(tokens.iter().map(|token| app.call("GET", "status", token, &[]))).await;
    for answer in outcomes {
        answer.is_refused(502, "github_error");
    }
    assert_eq!(app.server.state().organisation.github.circuit(), CircuitState::Closed);
    app.call("POST", "token-register", &cast.ada, &[("team", "payments")]).await.response();
}
