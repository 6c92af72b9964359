use std::time::Duration;

use arc_swap::ArcSwap;

use super::*;
use crate::access::{Administrators, Entries, Groups, Members, Ownership, Teams};
use crate::clock::Clock;
use crate::domain::cache_ttls::CacheTtls;
use crate::domain::ids::RunnerId;
use crate::domain::pattern::Rules;
use crate::domain::policy::{AccessPolicy, AdministratorsTeam, JitPolicy, Policy, RepositoryPermission};
use crate::domain::subject::Subjects;
use crate::domain::template::GroupNameTemplate;
use crate::github::{Runner, Settings};
use crate::organisation::{HandedOut, RunnerTurns};
use crate::replicas::{Replicas, Turns};
use crate::telemetry::{AuditRoom, Reserved};

const TTLS: CacheTtls = CacheTtls {
    identity: Duration::ZERO,
    refused_identity: Duration::ZERO,
    team: Duration::ZERO,
    membership: Duration::ZERO,
    refused_membership: Duration::ZERO,
    group: Duration::ZERO,
};

/// Nothing is ever sent to its GitHub.
fn organisation() -> Organisation {
    let (settings, clock, replicas) = (Settings::of_nobody(), Clock::manual(), Arc::new(Replicas::none()));
    let name = settings.org.clone();
    let github = Arc::new(Github::new(settings, replicas.clone(), clock.clone()).unwrap());
    let members = Arc::new(Members::new(github.clone(), clock.clone()));
    let template = GroupNameTemplate::parse("{team}").unwrap();
    Organisation {
        name,
        teams: Teams::new(template, TTLS, members.clone(), github.clone(), &clock),
        members,
        groups: Groups::new(Ownership::Disabled, TTLS, github.clone(), clock.clone()),
        entries: Arc::new(Entries::new(None, Duration::ZERO, TTLS, github.clone(), clock.clone())),
        issuers: ArcSwap::default(),
        administrators: Administrators::new(AdministratorsTeam::None, None, github.clone(), clock.clone()),
        github,
        store: None,
        records: None,
        policy: ArcSwap::from_pointee(Policy {
            registration_tokens: false,
            removal_tokens: false,
            teams: Subjects::new(Vec::new(), Vec::new()),
            users: Subjects::new(Vec::new(), Vec::new()),
            repository_permission: RepositoryPermission::Read,
            jit: JitPolicy { labels: Vec::new(), max_labels: 0, name_prefix: String::new() },
            max_runners: 0,
            access: AccessPolicy::default(),
        }),
        scopes: ArcSwap::from_pointee(Rules::default()),
        allow_open_groups: false,
        clock,
        views: crate::single_flight::SingleFlight::new(),
        turns: Turns::new(replicas.clone()),
        replicas,
        runner_turns: RunnerTurns::default(),
        handed_out: HandedOut::default(),
    }
}

fn runner(name: String) -> Runner {
    Runner {
        id: RunnerId(1),
        name,
        os: String::new(),
        status: String::new(),
        busy: false,
        ephemeral: false,
        runner_group_id: None,
        labels: Vec::new(),
    }
}

/// Takes all the room there is but so many bytes.
fn take_all_but(bytes: usize, room: &AuditRoom) -> Vec<Reserved> {
    let left = room.reserve(bytes).unwrap();
    let taken = (0..usize::BITS).rev().filter_map(|bit| room.reserve(1 << bit).ok()).collect();
    drop(left);
    taken
}

#[tokio::test]
async fn a_write_has_room_for_the_names_of_its_runners_and_a_hundred_ids_of_githubs_or_does_not_begin() {
    let organisation = Arc::new(organisation());
    let runners = vec![runner("a".repeat(64)), runner("b".repeat(10))];
    let runners = Listed::all(runners, GroupId(1), Duration::ZERO);
    // Each name has its quotes and a comma.
    let needed = (64 + 3) + (10 + 3) + 100 * 64;
    for (left, begins) in [(needed, true), (needed - 1, false)] {
        let room = AuditRoom::bounded();
        let context = Context::of_the_system("runners-remove");
        let line = AuditLine::new(context.clone(), AuditLog::new(room.clone(), None));
        let work = Work::new(organisation.clone(), context, line, Writes::here());
        work.line().reserve(0).unwrap();
        let taken = take_all_but(left, &room);
        let outcome = work.reserve_line(&runners);
        assert_eq!(outcome.is_ok(), begins, "{left} bytes are left: {outcome:?}");
        drop(taken);
    }
}
