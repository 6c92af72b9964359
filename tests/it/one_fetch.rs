//! Those who ask for the same thing at once share one fetch of it, and what concerns the one who began it reaches nobody else.

use std::collections::BTreeSet;

use fake_github::{Fault, Hold, RunnerStatus, Subject, World};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::binary::{LOOKED_AT_EVERY, within};
use crate::harness::{Answer, App};
use crate::load::unlimited;
use crate::scene::{Cast, acme_with_groups};

const TEAM: &str = "/orgs/{org}/teams/{team_slug}";
const GROUP: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}";
const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const GROUP_REPOSITORIES: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/repositories";
const USER: &str = "/user";
const MEMBERSHIP: &str = "/orgs/{org}/teams/{team_slug}/memberships/{username}";
const MINT: &str = "/app/installations/{installation_id}/access_tokens";

const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
/// What a list may cost in addition to its pages: who the caller is, which group it is, and the other list.
const AND_A_FEW: usize = 8;
/// Attempts at one call.
const ATTEMPTS: usize = 3;

/// A group of payments with so many runners, of which every other one is offline. Ada and Eve maintain payments and search.
fn with_runners(count: usize) -> (World, Cast) {
    let (mut world, cast, group) = acme_with_groups();
    let eve = world.user_by_login("eve").unwrap().id;
    world.add_maintainer(cast.payments, eve);
    world.add_maintainer(cast.search, cast.ada_id);
    for number in 0..count {
        let status = if number % 2 == 0 { RunnerStatus::Online } else { RunnerStatus::Offline };
        world.add_runner(group, &format!("build-{number}"), &["linux"], status);
    }
    (world, cast)
}

/// The service in front of a GitHub that limits nobody; who the callers are is known.
async fn unlimited_with(count: usize) -> (App, Cast) {
    let (mut world, cast) = with_runners(count);
    world.set_rate_limit(1_000_000);
    let app = App::with(world, unlimited()).await.settled().await;
    for token in [&cast.ada, &cast.eve] {
        app.call("POST", "token-register", token, &PAYMENTS).await.response();
    }
    app.fake.clear_calls();
    (app, cast)
}

async fn list(app: &App, token: &str) -> Answer {
    // Boxed, as other futures here: many of them are held at once.
    Box::pin(app.call("GET", "group-list", token, &PAYMENTS)).await
}

/// How many more requests a caller may send. The clock stands still, so that it only shrinks.
async fn left(app: &App, token: &str) -> usize {
    let answer = app.call("GET", "status", token, &[]).await;
    answer.header("ratelimit-remaining").parse().unwrap()
}

/// More than there are threads that serve requests, each with its own connections in turn.
const ON_EVERY_THREAD: usize = 32;

/// Waits until so many requests of a caller were let in since there were `before` left, and got to where they wait.
async fn let_in(app: &App, token: &str, before: usize, count: usize) {
    let all_in = async {
        let mut own = 1;
        while before - left(app, token).await < count + own {
            own += 1;
        }
    };
    within("the others' requests", all_in).await;
    // From its limit on a request goes on without a pause until it waits for a fetch; what its thread serves later comes behind.
    join_all((0..ON_EVERY_THREAD).map(|_| Box::pin(left(app, token)))).await;
}

/// Callers who ask while the first call with this path is held; `meanwhile` is done when all of them are let in.
async fn while_held(
    app: &App,
    hold: &Hold,
    token: &str,
    requests: Vec<impl Future<Output = Answer>>,
    meanwhile: impl FnOnce(),
) -> Vec<Answer> {
    held_until(app, hold, token, requests, async { meanwhile() }).await
}

/// The same, until so many wait for the list of runners.
async fn while_list_is_held(
    app: &App,
    hold: &Hold,
    token: &str,
    requests: Vec<impl Future<Output = Answer>>,
    waiting: usize,
) -> Vec<Answer> {
    let all_wait = async {
        while app.server.state().organisation.github.waiting_for_runners() < waiting {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
        }
    };
    held_until(app, hold, token, requests, all_wait).await
}

async fn held_until(
    app: &App,
    hold: &Hold,
    token: &str,
    requests: Vec<impl Future<Output = Answer>>,
    all_is_so: impl Future<Output = ()>,
) -> Vec<Answer> {
    let (before, count) = (Box::pin(left(app, token)).await, requests.len());
    let letting = async {
        hold.arrived(1).await;
        Box::pin(let_in(app, token, before, count)).await;
        all_is_so.await;
        hold.release();
    };
    within("all answers", Box::pin(async { tokio::join!(join_all(requests), letting) })).await.0
}

#[tokio::test]
async fn two_hundred_and_fifty_six_callers_of_a_group_list_cost_what_one_costs() {
    let (app, cast) = unlimited_with(250).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).once());
    let requests = (0..256).map(|_| list(&app, &cast.ada)).collect();
    let answers = while_held(&app, &hold, &cast.ada, requests, || ()).await;
    for answer in &answers {
        let response = answer.response();
        assert_eq!(
            (response["runners"].as_array().unwrap().len(), &response["repos"]),
            (250, &json!(["web"]))
        );
    }
    assert!(app.fake.total_calls() <= 12, "{:?}", app.calls());
}

#[tokio::test]
async fn those_who_select_different_runners_share_the_list_of_all() {
    let (app, cast) = unlimited_with(250).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).once());
    let selections: Vec<Vec<(&str, String)>> = (0..60)
        .map(|number| match number % 3 {
            0 => vec![("status", "online".to_owned())],
            1 => vec![("name", format!("build-{number}"))],
            _ => vec![("label", "linux".to_owned())],
        })
        .collect();
    let request = async |selection: &Vec<(&str, String)>| {
        let selection = selection.iter().map(|(name, value)| (*name, value.as_str()));
        let parameters: Vec<_> = PAYMENTS.into_iter().chain(selection).collect();
        app.call("GET", "runners-list", &cast.ada, &parameters).await
    };
    let requests = selections.iter().map(request).collect();
    // A list is read, and waited for, once for each selection that is not the same as another.
    let distinct: BTreeSet<_> = selections.iter().collect();
    let answers = while_list_is_held(&app, &hold, &cast.ada, requests, distinct.len()).await;
    for (number, answer) in answers.iter().enumerate() {
        let listed = answer.response()["runners"].as_array().unwrap().len();
        let expected = [125, usize::from(listed == 1), 250][number % 3];
        assert_eq!(listed, expected, "{:?}: {}", selections[number], answer.text);
    }
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 3, "{:?}", app.calls());
}

#[tokio::test]
async fn sixty_four_callers_of_twenty_thousand_runners_are_all_served_and_the_next_costs_nothing() {
    let (app, cast) = unlimited_with(20_000).await;
    app.fake.set_record_bodies(false);
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).once());
    // Their answers are large, and are not each held against the description.
    let request = async || {
        let request = app.request("GET", "/api/v1/group-list", &cast.ada).query(&PAYMENTS);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let before = left(&app, &cast.ada).await;
    let letting = async {
        hold.arrived(1).await;
        let_in(&app, &cast.ada, before, 64).await;
        hold.release();
    };
    let (answers, ()) = tokio::join!(join_all((0..64).map(|_| request())), letting);
    let runners = |text: &str| {
        let answer: Value = serde_json::from_str(text).unwrap();
        let names = answer["Response"]["runners"].as_array().unwrap().clone();
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>().len()
    };
    let refused = answers.iter().find(|(status, _)| *status != 200);
    assert_eq!(refused, None);
    assert_eq!(runners(&answers[0].1), 20_000);
    assert!(answers.iter().all(|(_, text)| text.len() == answers[0].1.len()));
    let calls = app.fake.total_calls();
    assert!(calls <= 200 + AND_A_FEW, "{calls} calls");
    let used = || {
        app.fake.world(|world| {
            let installation = world.installation_id();
            world.budget(Subject::Installation(installation)).used
        })
    };
    let used_before = used();
    assert_eq!(runners(&request().await.1), 20_000);
    assert_eq!(used(), used_before, "all its pages were kept, and are as they were");
}

#[tokio::test]
async fn whoever_began_a_fetch_and_hangs_up_leaves_it_to_the_others() {
    let (app, cast) = unlimited_with(250).await;
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).once());
    let mut first = Box::pin(list(&app, &cast.eve));
    tokio::select! {
        answer = &mut first => panic!("it is held: {answer:?}"),
        () = hold.arrived(1) => {}
    }
    let requests = (0..20).map(|_| list(&app, &cast.ada)).collect();
    let answers = while_held(&app, &hold, &cast.ada, requests, || drop(first)).await;
    for answer in &answers {
        assert_eq!(answer.response()["runners"].as_array().unwrap().len(), 250);
    }
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 3, "no page again: {:?}", app.calls());
    assert_eq!(app.fake.count("GET", GROUP_REPOSITORIES), 1);
}

/// Eve's share of the hour is used up while the first call with this path, which she began, is held and will have to be sent
/// again. Gives her answer, and those of others who asked for the same meanwhile.
async fn with_a_share_that_is_spent(app: &App, cast: &Cast, path: &str) -> (Answer, Vec<Answer>) {
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", path).hold(&hold).error(502, "no").once());
    let beginning = list(app, &cast.eve);
    let rest = async {
        hold.arrived(1).await;
        let others = (0..5).map(|_| list(app, &cast.ada)).collect();
        for _ in 0..30 {
            Box::pin(app.call("POST", "token-register", &cast.eve, &[("team", "search")])).await;
        }
        while_held(app, &hold, &cast.ada, others, || ()).await
    };
    within("all answers", Box::pin(async { tokio::join!(beginning, rest) })).await
}

#[tokio::test]
async fn a_share_that_is_spent_is_that_of_whoever_began_the_look_up_or_the_list_alone() {
    for path in [TEAM, GROUP, GROUP_RUNNERS] {
        let (mut world, cast) = with_runners(1);
        world.set_rate_limit(100);
        let app = App::start(world).await.settled().await;
        for token in [&cast.ada, &cast.eve] {
            app.call("POST", "token-register", token, &[("team", "search")]).await.response();
        }
        app.fake.clear_calls();
        let (of_eve, of_others) = with_a_share_that_is_spent(&app, &cast, path).await;
        of_eve.is_refused(429, "rate_limited");
        for answer in &of_others {
            assert_eq!(answer.response()["runners"], json!(["build-0"]), "{path}");
        }
        assert_eq!(app.fake.count("GET", path), 2, "once for her, and once for all others: {path}");
    }
}

#[tokio::test]
async fn whoever_has_no_calls_left_for_a_later_page_is_refused_alone() {
    let (mut world, cast) = with_runners(250);
    world.set_rate_limit(100);
    let app = App::start(world).await.settled().await;
    for token in [&cast.ada, &cast.eve] {
        app.call("POST", "token-register", token, &PAYMENTS).await.response();
    }
    app.fake.clear_calls();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).once());
    let rest = async {
        hold.arrived(1).await;
        for _ in 0..30 {
            Box::pin(app.call("POST", "token-register", &cast.eve, &[("team", "search")])).await;
        }
        let others = (0..5).map(|_| list(&app, &cast.ada)).collect();
        while_held(&app, &hold, &cast.ada, others, || ()).await
    };
    let (of_eve, of_others) =
        within("all answers", Box::pin(async { tokio::join!(list(&app, &cast.eve), rest) })).await;
    of_eve.is_refused(429, "rate_limited");
    for answer in &of_others {
        assert_eq!(answer.response()["runners"].as_array().unwrap().len(), 250);
    }
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 1 + 3, "her first page, and all of them for the others");
}

#[tokio::test]
async fn a_passing_failure_reaches_only_whoever_began_the_fetch() {
    let (app, cast) = unlimited_with(1).await;
    list(&app, &cast.ada).await.response();
    app.fake.clear_calls();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).error(500, "no").times(ATTEMPTS));
    let requests = (0..30).map(|_| list(&app, &cast.ada)).collect();
    let answers = while_held(&app, &hold, &cast.ada, requests, || ()).await;
    let failed: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    failed[0].is_refused(502, "github_error");
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), ATTEMPTS + 1);
}

/// Everything is known, and from now on GitHub's list of runners is held, and fails.
async fn with_a_list_that_fails() -> (App, Cast, Hold) {
    let (app, cast) = unlimited_with(1).await;
    list(&app, &cast.ada).await.response();
    app.fake.clear_calls();
    let hold = Hold::new();
    app.fake.inject(Fault::on("GET", GROUP_RUNNERS).hold(&hold).error(500, "no"));
    (app, cast, hold)
}

#[tokio::test]
async fn a_failure_that_comes_a_second_time_is_everybodys() {
    let (app, cast, hold) = with_a_list_that_fails().await;
    let requests = (0..30).map(|_| list(&app, &cast.ada)).collect();
    let answers = while_held(&app, &hold, &cast.ada, requests, || ()).await;
    for answer in &answers {
        answer.is_refused(502, "github_error");
    }
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 2 * ATTEMPTS, "never a third fetch");
}

#[tokio::test]
async fn those_who_select_different_runners_share_its_failures_too() {
    let (app, cast, hold) = with_a_list_that_fails().await;
    let request = async |status: &str| {
        let parameters = [("team", "payments"), ("status", status)];
        Box::pin(app.call("GET", "runners-list", &cast.ada, &parameters)).await
    };
    let requests = (0..30).map(|number| request(["online", "offline"][number % 2])).collect();
    let answers = while_list_is_held(&app, &hold, &cast.ada, requests, 2).await;
    for answer in &answers {
        answer.is_refused(502, "github_error");
    }
    assert_eq!(app.fake.count("GET", GROUP_RUNNERS), 2 * ATTEMPTS, "never a third fetch");
}

#[tokio::test]
async fn a_look_up_goes_on_for_others_when_whoever_began_it_hangs_up() {
    for (method, path) in [("GET", USER), ("GET", MEMBERSHIP), ("GET", TEAM), ("GET", GROUP), ("POST", MINT)]
    {
        let (world, cast) = with_runners(1);
        let mut app = App::start(world).await.settled().await;
        if method == "POST" {
            app.own_token_is_refused = true;
            app.fake.world(World::revoke_installation_tokens);
        }
        app.fake.clear_calls();
        let hold = Hold::new();
        app.fake.inject(Fault::on(method, path).hold(&hold).once());
        let mut first = Box::pin(list(&app, &cast.ada));
        tokio::select! {
            answer = &mut first => panic!("it is held: {answer:?}"),
            () = hold.arrived(1) => {}
        }
        let others = join_all((0..5).map(|_| list(&app, &cast.ada)));
        let hanging_up = async {
            tokio::task::yield_now().await;
            drop(first);
            hold.release();
        };
        let (answers, ()) = within("all answers", async { tokio::join!(others, hanging_up) }).await;
        for answer in &answers {
            assert_eq!(answer.response()["runners"], json!(["build-0"]), "{path}");
        }
        let calls = app.fake.count(method, path);
        assert!(calls <= 2, "{calls} calls of {path}");
    }
}
