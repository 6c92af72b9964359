//! What owners do to the App, and what stands between it and GitHub, is the service's own trouble: no caller is refused for it,
//! administrators are told once, and it ends without a restart.

use std::time::Duration;

use fake_github::{
    Fault, GroupId, Level, Permission, RepoVisibility, RunnerStatus, TokenKind, Visibility, World,
};
use serde_json::{Value, json};

use crate::access::TEAM_OPERATIONS;
use crate::harness::{App, log_lines, merge};

/// The lines with which a problem begins and ends.
const BEGUN: &str = "the service can't work";
const ENDED: &str = "GitHub accepts the credential";
/// What is known of callers, teams and groups is asked again after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(5);

/// The service with an organisation whose name, and whose number of installation, is in no other test's log lines.
struct Scene {
    app: App,
    /// Maintains payments and search.
    ada: String,
    /// A member of payments.
    bob: String,
    /// A stranger.
    sam: String,
    group: GroupId,
}

impl Scene {
    async fn with(org: &str, reinstalled: usize, extra: Value) -> Self {
        let mut world = World::new(org);
        for _ in 0..reinstalled {
            world.reinstall_app();
        }
        let [ada, bob] = ["ada", "bob"].map(|login| world.add_member(login));
        let sam = world.add_user("sam");
        let mut groups = ["payments", "search"].map(|name| {
            let team = world.add_team(name);
            world.add_maintainer(team, ada);
            world.add_membership(team, bob, fake_github::Role::Member, fake_github::MembershipState::Active);
            let repository =
                world.add_repository(if name == "search" { "index" } else { "web" }, RepoVisibility::Private);
            world.grant(team, repository, Permission::Push);
            let group = world.add_group(name, Visibility::Selected);
            world.add_runner(group, &format!("{name}-1"), &["linux"], RunnerStatus::Online);
            group
        });
        groups.sort();
        let [ada, bob, sam] = [ada, bob, sam].map(|user| world.add_token(user, TokenKind::Classic));
        let mut settings = json!({ "server": { "admin": { "address": "127.0.0.1", "port": 0 } } });
        merge(&mut settings, &extra);
        let mut app = App::with(world, settings).await.settled().await;
        app.own_token_is_refused = true;
        app.call("GET", "group-list", &ada, &[("team", "payments")]).await.response();
        Self { app, ada, bob, sam, group: groups[0] }
    }

    fn installation(&self) -> u64 {
        self.app.fake.world(|world| world.installation_id().0)
    }

    /// What is wrong by readiness, which does not end for it.
    async fn problem(&self, part: &str) -> String {
        let answer = self.app.admin("/readyz").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()[part]["problem"].as_str().unwrap_or_default().to_owned()
    }

    /// Everybody asks for everything.
    async fn nobody_is_served_or_refused(&self, what: &str) {
        for (method, operation, others) in TEAM_OPERATIONS {
            for token in [&self.ada, &self.bob, &self.sam] {
                let parameters: Vec<_> =
                    std::iter::once(("team", "payments")).chain(others.iter().copied()).collect();
                let answer = self.app.call(method, operation, token, &parameters).await;
                // The store alone knows that a team has a group.
                let is_known_here = answer.status == 409 && operation.starts_with("group-");
                assert!(answer.status >= 500 || is_known_here, "{what}, {operation}: {}", answer.text);
            }
        }
    }

    /// Waits until readiness names the problem, or none any more.
    async fn until_problem(&self, part: &str, problem: &str) {
        let is_so = async || self.problem(part).await == problem;
        self.app.until(&format!("{part} with {problem}"), is_so).await;
    }

    /// Everything from the begin of a problem to its end. `text` is in the line about it.
    async fn goes_through(
        &self,
        what: &str,
        (part, problem): (&str, &str),
        text: &str,
        end: impl FnOnce(&App),
    ) {
        // As soon as it is told to, instead of at its next look.
        self.app.server.reload();
        self.until_problem(part, problem).await;
        let metrics = self.app.admin("/metrics").await.text;
        assert!(metrics.contains("arm_credential_accepted 0\n"), "{metrics}");
        for what_is_known in ["what was known before", "nothing"] {
            let what = format!("{what}, with {what_is_known}");
            self.nobody_is_served_or_refused(&what).await;
            self.app.clock.advance(FORGOTTEN_AFTER);
        }
        self.until_problem(part, problem).await;
        let begun = log_lines(text).into_iter().filter(|line| line["message"] == BEGUN);
        let levels: Vec<_> = begun.map(|line| line["level"].clone()).collect();
        assert_eq!(levels, ["error"], "{what}: once, however often it is met");
        let ended = log_lines(ENDED).len();
        end(&self.app);
        let parameters = [("team", "payments")];
        let is_served =
            async || self.app.call("GET", "group-list", &self.ada, &parameters).await.status == 200;
        self.app.until(&format!("service after {what}"), is_served).await;
        self.until_problem(part, "").await;
        assert!(log_lines(ENDED).len() > ended, "{what}: its end is told, too");
        assert_eq!(self.app.fake.world(|world| world.runners_of(self.group).len()), 1, "{what}");
    }
}

#[tokio::test]
async fn an_app_that_is_uninstalled_and_installed_again_under_another_number() {
    for (org, extra) in [("uninstalled-1", json!({})), ("uninstalled-2", json!({ "installationID": null }))] {
        let scene = Scene::with(org, 0, extra).await;
        let before = scene.installation();
        scene.app.fake.world(World::uninstall_app);
        let text = format!("in the organisation \\\"{org}\\\"");
        scene
            .goes_through("an App uninstalled", ("credential", "not_installed"), &text, |app| {
                let after = app.fake.world(|world| world.install_app_on(org)).0;
                assert_ne!(after, before);
            })
            .await;
    }
}

#[tokio::test]
async fn an_app_that_is_suspended_and_resumed() {
    let scene = Scene::with("acme", 1_001, json!({})).await;
    let text = format!("the App's installation {} is suspended", scene.installation());
    for suspensions in [1, 2] {
        scene.app.fake.world(World::suspend_app);
        if suspensions == 1 {
            let end = |app: &App| app.fake.world(World::resume_app);
            scene.goes_through("an App suspended", ("credential", "suspended"), &text, end).await;
        } else {
            scene.app.server.reload();
            scene.until_problem("credential", "suspended").await;
            assert_eq!(log_lines(&text).len(), 2, "each time that it begins");
        }
    }
}

#[tokio::test]
async fn an_app_whose_permissions_are_narrowed_and_granted_again() {
    let scene = Scene::with("acme", 1_002, json!({})).await;
    let narrowed = [("metadata", Level::Read), ("organization_self_hosted_runners", Level::Write)];
    scene.app.fake.world(|world| {
        world.set_app_permissions(&narrowed);
        world.revoke_installation_tokens();
    });
    let text = "grant it Members: read, then accept";
    let end = |app: &App| app.fake.world(|world| world.grant_app_permission("members", Level::Read));
    scene.goes_through("permissions narrowed", ("permissions", "Members: read"), text, end).await;
}

#[tokio::test]
async fn something_else_that_answers_at_githubs_address() {
    let page = || json!("<html>Sign in</html>");
    let fault = Fault::everywhere;
    for (reinstalled, what, fault) in [
        (1_003, "a page", fault().status(403, page())),
        (1_004, "a redirect", fault().status(302, page()).header("location", "https://sso.example/login")),
        (1_005, "a page that is a success", fault().status(200, page()).header("content-type", "text/html")),
        (1_007, "another API", fault().status(200, json!(["nothing", "known"]))),
    ] {
        let scene = Scene::with("acme", reinstalled, json!({})).await;
        let text = format!("/app/installations/{}:", scene.installation());
        scene.app.fake.inject(fault);
        scene.goes_through(what, ("credential", "not_github"), &text, |app| app.fake.clear_faults()).await;
    }
}

#[tokio::test]
async fn an_allow_list_of_addresses_that_this_service_is_not_on() {
    let scene = Scene::with("acme", 1_006, json!({})).await;
    let forbidden = "Although you appear to have the correct authorization credentials, the `acme` organization has an IP \
                     allow list enabled, and 192.0.2.1 is not permitted to access this resource.";
    scene.app.fake.inject(Fault::everywhere().error(403, forbidden));
    let text = format!("/app/installations/{}:", scene.installation());
    scene
        .goes_through("an allow list", ("credential", "refused"), &text, |app| app.fake.clear_faults())
        .await;
}
