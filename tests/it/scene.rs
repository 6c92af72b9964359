//! The organisation that most tests take place in.

use fake_github::{
    DEFAULT_GROUP, GroupId, MembershipState, Permission, RepoId, RepoVisibility, Role, RunnerStatus, TeamId,
    TokenKind, UserId, Visibility, World,
};

/// The people of `acme`, by the token that each of them sends, and the things they work with.
pub struct Cast {
    /// Maintains payments.
    pub ada: String,
    pub ada_id: UserId,
    /// An ordinary member of payments.
    pub bob: String,
    /// Invited to maintain payments; has not accepted.
    pub pat: String,
    /// Maintains search, not payments.
    pub eve: String,
    /// Owns the organisation and is in team payments.
    pub olivia: String,
    /// Has nothing to do with the organisation.
    pub sam: String,
    pub payments: TeamId,
    pub search: TeamId,
    /// Repositories of payments.
    pub web: RepoId,
    pub api: RepoId,
    /// A repository of search alone.
    pub index: RepoId,
}

/// `acme` with two teams; neither has a runner group yet.
pub fn acme() -> (World, Cast) {
    let mut world = World::new("acme");
    let person = |world: &mut World, login: &str| {
        let user = world.add_member(login);
        (user, world.add_token(user, TokenKind::Classic))
    };
    let (ada_id, ada) = person(&mut world, "ada");
    let (bob_id, bob) = person(&mut world, "bob");
    let (pat_id, pat) = person(&mut world, "pat");
    let (eve_id, eve) = person(&mut world, "eve");
    let owner = world.add_owner("olivia");
    let olivia = world.add_token(owner, TokenKind::FineGrained);
    let stranger = world.add_user("sam");
    let sam = world.add_token(stranger, TokenKind::Classic);
    let payments = world.add_team("payments");
    let search = world.add_team("search");
    world.add_maintainer(payments, ada_id);
    world.add_membership(payments, bob_id, Role::Member, MembershipState::Active);
    world.add_membership(payments, pat_id, Role::Maintainer, MembershipState::Pending);
    world.add_membership(payments, owner, Role::Member, MembershipState::Active);
    world.add_maintainer(search, eve_id);
    let web = world.add_repository("web", RepoVisibility::Private);
    let api = world.add_repository("api", RepoVisibility::Private);
    let index = world.add_repository("index", RepoVisibility::Private);
    world.grant(payments, web, Permission::Push);
    world.grant(payments, api, Permission::Pull);
    world.grant(search, index, Permission::Admin);
    (world, Cast { ada, ada_id, bob, pat, eve, olivia, sam, payments, search, web, api, index })
}

/// The same, with a group for payments that holds `web` and, for search, one with a runner.
pub fn acme_with_groups() -> (World, Cast, GroupId) {
    let (mut world, cast) = acme();
    let group = world.add_group("payments", Visibility::Selected);
    world.add_repository_to_group(group, cast.web);
    let other = world.add_group("search", Visibility::Selected);
    world.add_repository_to_group(other, cast.index);
    world.add_runner(other, "search-1", &["self-hosted"], RunnerStatus::Online);
    (world, cast, group)
}

/// The same, with runners: three in the group of payments (`idle-1`, `gone-1`, `busy-1`), and others with the same
/// labels and states in the groups of search, Default and the enterprise.
pub fn acme_with_runners() -> (World, Cast, GroupId) {
    let (mut world, cast, group) = acme_with_groups();
    world.add_runner(group, "idle-1", &["self-hosted", "linux"], RunnerStatus::Online);
    world.add_runner(group, "gone-1", &["self-hosted", "gpu"], RunnerStatus::Offline);
    let busy = world.add_runner(group, "busy-1", &["self-hosted", "linux"], RunnerStatus::Online);
    world.set_runner_busy(busy, true);
    let search = world.group_by_name("search").unwrap().id;
    let enterprise = world.add_inherited_group("enterprise");
    for (other, name) in [(search, "search"), (DEFAULT_GROUP, "shared"), (enterprise, "corp")] {
        let labels = ["self-hosted", "linux", "gpu"];
        world.add_runner(other, &format!("{name}-idle"), &labels, RunnerStatus::Online);
        world.add_runner(other, &format!("{name}-gone"), &labels, RunnerStatus::Offline);
    }
    (world, cast, group)
}

/// Every runner that is not in this group, with the group that it is in.
pub fn runners_outside(world: &World, group: GroupId) -> Vec<(u64, String, GroupId)> {
    let outside = world.runners().filter(|runner| runner.group != group);
    outside.map(|runner| (runner.id.0, runner.name.clone(), runner.group)).collect()
}
