//! The organisation of the demo: enough people, teams, groups and runners to try everything on.

use crate::FakeGithub;
use crate::oidc::Run;
use crate::world::{
    GroupId, Level, MembershipState, Permission, Protection, RepoId, RepoVisibility, Role, RunnerStatus,
    TeamId, TokenKind, UserId, Visibility, World,
};

/// Somebody of the demo, with a token that works.
#[derive(Clone)]
pub struct DemoPerson {
    /// The login.
    pub login: &'static str,
    /// What to say about them in the printed tour.
    pub about: &'static str,
    /// A token of theirs.
    pub token: String,
}

/// How long tokens of the demo's runs are good for, in seconds: long enough for people to type.
const TOKEN_LIFETIME: u64 = 3600;

/// A workflow of the team `platform`.
#[derive(Debug, Clone)]
pub struct DemoWorkflow {
    /// The repository's name, without its owner.
    pub repository: &'static str,
    /// The environment of its job, which the team `platform` reviews.
    pub environment: &'static str,
    /// Its file in the repository.
    pub file: &'static str,
    run: Run,
    pull_request: Run,
}

impl DemoWorkflow {
    fn new(org: &str) -> Self {
        let (repository, environment, file) = ("platform-api", "runners", ".github/workflows/ci.yml");
        let run = Run::of(org, repository).environment(environment).workflow(file).actor("mona");
        let pull_request = run.clone().pull_request(7, "a-better-idea", "main");
        Self { repository, environment, file, run, pull_request }
    }

    /// A token of a run that a push to `main` started, good for an hour.
    pub fn token(&self, github: &FakeGithub, audience: &str) -> String {
        github.token_of(&self.run, audience).lifetime(TOKEN_LIFETIME).sign()
    }

    /// A token of a run that differs in one thing: a pull request from the same repository started it.
    pub fn token_of_pull_request(&self, github: &FakeGithub, audience: &str) -> String {
        github.token_of(&self.pull_request, audience).lifetime(TOKEN_LIFETIME).sign()
    }
}

/// The demo's world and who is in it.
pub struct Demo {
    /// Everything, to be given to `FakeGithub::start`.
    pub world: World,
    /// The organisation's login.
    pub org: &'static str,
    /// Maintainer of `platform`, which has a group with runners, and of `data-ml-2`.
    pub maintainer: DemoPerson,
    /// Maintainer of `payments`, which has no group yet.
    pub other_maintainer: DemoPerson,
    /// A plain member of `platform`.
    pub member: DemoPerson,
    /// Invited to maintain `platform`, not yet accepted.
    pub pending: DemoPerson,
    /// An owner of the organisation, in no team.
    pub owner: DemoPerson,
    /// Somebody from elsewhere.
    pub stranger: DemoPerson,
    /// The slugs of the teams.
    pub teams: [&'static str; 3],
    /// A workflow that the team `platform` may want to trust.
    pub workflow: DemoWorkflow,
}

fn person(world: &mut World, login: &'static str, about: &'static str, id: UserId) -> DemoPerson {
    DemoPerson { login, about, token: world.add_token(id, TokenKind::Classic) }
}

/// Builds the demo's organisation, `octo-demo`; the same every time.
pub fn demo() -> Demo {
    let mut world = World::new("octo-demo");
    // What tokens of single repositories take.
    world.grant_app_permission("administration", Level::Write);
    let platform = world.add_team("Platform");
    let payments = world.add_team("Payments");
    let data = world.add_team("Data & ML 2");

    let [mona, hubot, grace, pia] = ["mona", "hubot", "grace", "pia"].map(|login| world.add_member(login));
    let olga = world.add_owner("olga");
    let sam = world.add_user("sam");
    world.add_maintainer(platform, mona);
    world.add_maintainer(data, mona);
    world.add_maintainer(payments, hubot);
    world.add_membership(platform, grace, Role::Member, MembershipState::Active);
    world.add_membership(platform, pia, Role::Maintainer, MembershipState::Pending);

    let (api, groups) = repositories_and_groups(&mut world, platform, payments, data);
    add_runners(&mut world, groups);
    let workflow = DemoWorkflow::new("octo-demo");
    world.add_environment(api, workflow.environment, Protection::none().reviewed_by_team(platform));

    Demo {
        org: "octo-demo",
        maintainer: person(&mut world, "mona", "maintains platform and data-ml-2", mona),
        other_maintainer: person(&mut world, "hubot", "maintains payments", hubot),
        member: person(&mut world, "grace", "is a plain member of platform", grace),
        pending: person(&mut world, "pia", "is invited to maintain platform", pia),
        owner: person(&mut world, "olga", "owns the organisation", olga),
        stranger: person(&mut world, "sam", "is not in the organisation", sam),
        teams: ["platform", "payments", "data-ml-2"],
        workflow,
        world,
    }
}

fn repositories_and_groups(
    world: &mut World,
    platform: TeamId,
    payments: TeamId,
    data: TeamId,
) -> (RepoId, (GroupId, GroupId)) {
    let private = RepoVisibility::Private;
    let api = world.add_repository("platform-api", private);
    let infra = world.add_repository("platform-infra", private);
    let tools = world.add_repository("build-tools", RepoVisibility::Internal);
    let checkout = world.add_repository("checkout", private);
    let models = world.add_repository("models", private);
    let handbook = world.add_repository("handbook", RepoVisibility::Public);
    for (team, repository, permission) in [
        (platform, api, Permission::Admin),
        (platform, infra, Permission::Maintain),
        (platform, tools, Permission::Push),
        (payments, checkout, Permission::Admin),
        (payments, tools, Permission::Pull),
        (data, models, Permission::Admin),
        (data, handbook, Permission::Push),
    ] {
        world.grant(team, repository, permission);
    }
    world.add_inherited_group("enterprise-shared");
    let platform_group = world.add_group("platform", Visibility::Selected);
    world.add_repository_to_group(platform_group, api);
    let data_group = world.add_group("data-ml-2", Visibility::Selected);
    world.add_repository_to_group(data_group, models);
    (api, (platform_group, data_group))
}

fn add_runners(world: &mut World, (platform, data): (GroupId, GroupId)) {
    let linux = ["self-hosted", "Linux", "X64"];
    world.add_runner(platform, "platform-1", &linux, RunnerStatus::Online);
    world.add_runner(platform, "platform-2", &linux, RunnerStatus::Offline);
    let busy = world.add_runner(platform, "platform-3", &linux, RunnerStatus::Online);
    world.set_runner_busy(busy, true);
    let gpu = ["self-hosted", "Linux", "X64", "gpu"];
    world.add_runner(data, "gpu-1", &gpu, RunnerStatus::Online);
    world.add_runner(crate::DEFAULT_GROUP, "shared-1", &linux, RunnerStatus::Online);
}
