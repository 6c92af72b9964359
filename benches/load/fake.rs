//! The fake GitHub as a process: a world of a given size, and a few orders on standard input, each answered
//! with one line. Ends with its input, so that it never outlives the benchmark.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use fake_github::{
    self, AppKey, Credential, Exchange, FakeGithub, Fault, GroupId, Options, Permission, RepoVisibility, Run,
    RunnerStatus, TokenKind, Visibility,
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, say};

/// How large the world is.
#[derive(clap::Args)]
pub(crate) struct World {
    /// Runner groups, Default included
    #[arg(long)]
    groups: u64,
    /// Runners in the team's group
    #[arg(long)]
    runners: u64,
    /// Repositories of the team, all of them in its group
    #[arg(long)]
    repositories: u64,
    /// Other teams, each with a maintainer and a small group of its own
    #[arg(long, default_value_t = 0)]
    teams: u64,
    /// Calls an hour; with at most 15,000, GitHub's secondary limit applies as well
    #[arg(long, default_value_t = NO_LIMIT)]
    hour: u64,
}

/// What the service has to be told about this GitHub, and who may ask.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) app: u64,
    pub(crate) installation: u64,
    pub(crate) key: String,
    /// A token of a maintainer of [`TEAM`].
    pub(crate) token: String,
    /// The team's id.
    pub(crate) team: u64,
    /// The id of its group.
    pub(crate) group: u64,
    /// A token of somebody who has nothing to do with the organisation.
    pub(crate) stranger: String,
    /// The other teams.
    pub(crate) others: Vec<Other>,
}

/// A team beside [`TEAM`], with a maintainer who has no other.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Other {
    pub(crate) slug: String,
    pub(crate) token: String,
    pub(crate) team: u64,
    pub(crate) group: u64,
}

impl Other {
    /// Whether a call of the service is about this team.
    fn is_meant_by(&self, call: &Exchange) -> bool {
        let below = |start: String| call.path == start || call.path.starts_with(&format!("{start}/"));
        below(format!("/orgs/{ORG}/teams/{}", self.slug))
            || below(format!("/orgs/{ORG}/actions/runner-groups/{}", self.group))
    }
}

/// What was asked since the last `clear`.
#[derive(Serialize, Deserialize, Default, Clone, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) total: u64,
    /// The longest chain of calls one after another.
    pub(crate) rounds: u64,
    /// With the installation's token, neither about another team nor for a registration token; of those kept.
    pub(crate) apart: u64,
    /// Refused because a limit of GitHub's was reached; of those kept.
    pub(crate) limited: u64,
    /// How often by method, path template and status; of those kept.
    pub(crate) kinds: BTreeMap<String, u64>,
}

/// The team that nearly everything is about.
pub(crate) const TEAM: &str = "payments";
/// The start of its repositories' names.
pub(crate) const REPOSITORY: &str = "repo-";
/// What tokens of GitHub Actions are made for.
pub(crate) const AUDIENCE: &str = "https://arm.example.com";
/// A team of the same maintainer that has no group yet.
pub(crate) const SPARE_TEAM: &str = "spare";
/// More than GitHub ever allows: what is measured here is not the limit.
const NO_LIMIT: u64 = 1 << 40;
/// Calls that the log keeps: more than any single request makes.
const KEPT_CALLS: usize = 2_000;
/// Calls that the log keeps where the hour is limited, and each of them counts.
const ALL_CALLS: usize = 200_000;
/// The organisation's login.
const ORG: &str = "acme";
/// Of the weather: the same in every run.
const SEED: u64 = 20_261_127;
/// Runners and repositories of each other team.
const SMALL: u64 = 20;

/// Serves until standard input ends.
pub(crate) fn run(size: &World) -> Outcome<()> {
    let (world, settings) = world(size)?;
    let log_capacity = if size.hour == NO_LIMIT { KEPT_CALLS } else { ALL_CALLS };
    let options = Options { log_capacity, record_bodies: false, ..Options::default() };
    let fake = FakeGithub::start(world, &options)?;
    let settings = Settings { url: fake.url().to_owned(), ..settings };
    say(&serde_json::to_string(&settings)?);
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        match order.split_once(' ').unwrap_or((&order, "")) {
            ("calls", _) => say(&serde_json::to_string(&calls(&fake, &settings.others))?),
            ("tokens", count) => say(&serde_json::to_string(&tokens(&fake, count.parse()?))?),
            (name, value) => {
                obey(&fake, name, value)?;
                say("done");
            }
        }
    }
    Ok(())
}

/// Tokens of jobs that were pushed to the main branch of the team's first repository.
fn tokens(fake: &FakeGithub, count: usize) -> Vec<String> {
    let run = Run::of(ORG, &format!("{REPOSITORY}0"));
    (0..count).map(|_| fake.token_of(&run, AUDIENCE).lifetime(3_600).sign()).collect()
}

/// Follows an order that gives nothing back.
fn obey(fake: &FakeGithub, name: &str, value: &str) -> Outcome<()> {
    match name {
        "clear" => fake.clear_calls(),
        "latency" => fake.set_latency(Duration::from_millis(value.parse()?)),
        "slow-user" => {
            let late = Duration::from_millis(value.parse()?);
            fake.inject(Fault::on("GET", "/user").delay(late));
        }
        "broken" => fake.inject(Fault::on("GET", value).html()),
        "weather" => fake.set_weather(value.parse()?, SEED),
        _ => return Err(format!("unknown order: {name} {value}").into()),
    }
    Ok(())
}

fn world(size: &World) -> Outcome<(fake_github::World, Settings)> {
    let mut world = fake_github::World::new(ORG);
    world.set_rate_limit(size.hour);
    world.set_most_runners_in_a_group(usize::MAX);
    let key = AppKey::generate().map_err(|_| "the system gives no random numbers")?;
    world.set_app_key(&key);
    let maintainer = world.add_member("ada");
    let token = world.add_token(maintainer, TokenKind::Classic);
    let team = world.add_team(TEAM);
    world.add_maintainer(team, maintainer);
    let spare = world.add_team(SPARE_TEAM);
    world.add_maintainer(spare, maintainer);
    // Its name holds the team's id, which proves whose it is where there is no store.
    let group = add_groups(&mut world, size.groups, &format!("{TEAM}-{}", team.0));
    for index in 0..size.repositories {
        let repository = world.add_repository(&format!("{REPOSITORY}{index}"), RepoVisibility::Private);
        world.grant(team, repository, Permission::Push);
        world.add_repository_to_group(group, repository);
    }
    for index in 0..size.runners {
        let name = format!("{TEAM}-{index}");
        world.add_runner(group, &name, &["self-hosted", "Linux", "X64"], RunnerStatus::Online);
    }
    let stranger = world.add_user("sam");
    let settings = Settings {
        url: String::new(),
        org: world.org_login().to_owned(),
        app: world.app_id(),
        installation: world.installation_id().0,
        key: key.private_pem(),
        token,
        team: team.0,
        group: group.0,
        stranger: world.add_token(stranger, TokenKind::Classic),
        others: (0..size.teams).map(|number| add_team(&mut world, number)).collect(),
    };
    Ok((world, settings))
}

/// Adds a team with its maintainer and a small group.
fn add_team(world: &mut fake_github::World, number: u64) -> Other {
    let slug = format!("other-{number}");
    let maintainer = world.add_member(&format!("eve-{number}"));
    let team = world.add_team(&slug);
    world.add_maintainer(team, maintainer);
    let group = world.add_group(&format!("{slug}-{}", team.0), Visibility::Selected);
    for index in 0..SMALL {
        let repository = world.add_repository(&format!("{slug}-{index}"), RepoVisibility::Private);
        world.grant(team, repository, Permission::Push);
        world.add_repository_to_group(group, repository);
        let labels = ["self-hosted", "Linux", "X64"];
        world.add_runner(group, &format!("{slug}-{index}"), &labels, RunnerStatus::Online);
    }
    let token = world.add_token(maintainer, TokenKind::Classic);
    Other { slug, token, team: team.0, group: group.0 }
}

/// Adds groups until there are so many, the team's in the middle.
fn add_groups(world: &mut fake_github::World, count: u64, of_team: &str) -> GroupId {
    let others = count.saturating_sub(2);
    for index in 0..others / 2 {
        world.add_group(&format!("first-{index}"), Visibility::Selected);
    }
    let group = world.add_group(of_team, Visibility::Selected);
    for index in others / 2..others {
        world.add_group(&format!("last-{index}"), Visibility::Selected);
    }
    group
}

fn calls(fake: &FakeGithub, others: &[Other]) -> Calls {
    let log = fake.calls();
    let (mut kinds, mut apart, mut limited) = (BTreeMap::new(), 0, 0);
    for call in &log {
        let status = call.status.unwrap_or(0);
        let installed = matches!(call.credential, Credential::Installation(_));
        let expected =
            call.path.ends_with("/registration-token") || others.iter().any(|other| other.is_meant_by(call));
        apart += u64::from(installed && !expected);
        // An installation that lacks a permission is refused likewise, but this one has them all.
        limited += u64::from(installed && matches!(status, 403 | 429));
        let kind = format!("{} {} {status}", call.method, call.template.unwrap_or(&call.path));
        *kinds.entry(kind).or_default() += 1;
    }
    Calls { total: fake.total_calls() as u64, rounds: longest_chain(&log), apart, limited, kinds }
}

/// The most calls of which each began when the one before had ended.
fn longest_chain(log: &[Exchange]) -> u64 {
    let mut times: Vec<_> = log.iter().map(|call| (call.at + call.took, call.at)).collect();
    times.sort_unstable();
    let (mut length, mut ended) = (0, None);
    for (end, start) in times {
        if ended.is_none_or(|ended| start >= ended) {
            (length, ended) = (length + 1, Some(end));
        }
    }
    length
}
