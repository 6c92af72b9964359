//! The store goes away, or takes nothing more, and comes back: what each process does alone meanwhile, and what none does.

use fake_github::{Fault, TokenKind, Visibility};

use super::gate::Gate;
use super::limits::{accepted, fallbacks};
use super::records::IN_FORCE;
use super::*;
use crate::scene::{Cast, acme_with_groups};

const GROUP_RUNNERS: &str = "/orgs/{org}/actions/runner-groups/{runner_group_id}/runners";
const PAYMENTS: [(&str, &str); 1] = [("team", "payments")];
const LINUX: [(&str, &str); 2] = [("team", "payments"), ("labels", "linux")];
/// A limit that three can divide, and how long it is tried.
const RATE: u32 = 6;
const TIME: Duration = Duration::from_secs(10);

/// Who does what in these tests.
pub struct Scene {
    pub fleet: Fleet,
    pub cast: Cast,
    /// Somebody who maintains a team without a group.
    pub newcomer: String,
    /// Administers the service.
    pub root: String,
}

/// Three processes that know everybody and the group of payments.
pub async fn scene(database: Database, server: Value) -> Scene {
    let (mut world, cast, _) = acme_with_groups();
    world.set_rate_limit(1_000_000);
    world.add_group("spare", Visibility::Selected);
    let person = |world: &mut World, login: &str, team: &str| {
        let user = world.add_member(login);
        let team = world.add_team(team);
        world.add_maintainer(team, user);
        world.add_token(user, TokenKind::Classic)
    };
    let newcomer = person(&mut world, "newcomer", "new");
    let root = person(&mut world, "root", "platform-admins");
    let extra = json!({ "server": server, "admin": { "team": "platform-admins" } });
    let fleet = Fleet::on(database, world, extra).await;
    for replica in 0..REPLICAS {
        fleet.call(replica, "GET", "group-list", &cast.ada, &PAYMENTS).await.response();
    }
    Scene { fleet, cast, newcomer, root }
}

impl Scene {
    /// Waits until each process knows that the store fails.
    pub async fn fails(&self) {
        for replica in &self.fleet.replicas {
            until(SEEN, "the store's failure", async || !replica.store_is_fine().await).await;
        }
    }

    /// Waits until each process knows that the store works, and knows the others.
    pub async fn works_again(&self) {
        for replica in &self.fleet.replicas {
            until(SEEN, "the store to work again", async || replica.store_is_fine().await).await;
        }
        self.fleet.is_complete().await;
    }

    /// What goes on without a store, on each process; gives the requests' ids.
    pub async fn goes_on(&self) -> Vec<String> {
        let mut requests = Vec::new();
        for replica in 0..REPLICAS {
            for (operation, parameters) in
                [("token-register", PAYMENTS.as_slice()), ("jitconfig-generate", &LINUX)]
            {
                let answer = self.fleet.call(replica, "POST", operation, &self.cast.ada, parameters).await;
                answer.response();
                requests.push(answer.header("x-request-id").to_owned());
            }
        }
        requests
    }

    /// What has to be recorded is refused on each process, and not done.
    pub async fn records_nothing(&self) {
        let team = [("team", "new")];
        let removed = [("team", "payments"), ("remove_runners", "true")];
        for replica in 0..REPLICAS {
            for (method, operation, token, parameters) in [
                ("POST", "group-add", &self.newcomer, team.as_slice()),
                ("DELETE", "group-delete", &self.cast.ada, &removed),
                ("POST", "group-adopt", &self.root, &[("team", "new"), ("group", "spare")]),
                ("POST", "group-release", &self.root, &PAYMENTS),
            ] {
                let answer = self.fleet.call(replica, method, operation, token, parameters).await;
                answer.is_refused(503, "store_unavailable");
            }
        }
        let groups = self
            .fleet
            .fake
            .world(|world| ["payments", "new"].map(|name| world.group_by_name(name).is_some()));
        assert_eq!(groups, [true, false]);
    }

    /// All is as before on each process, and each event is there.
    pub async fn is_whole(&self, requests: &[String]) {
        let team = [("team", "new")];
        for replica in 0..REPLICAS {
            // The one before deleted it.
            let makes =
                async || self.fleet.ask(replica, "POST", "group-add", &self.newcomer, &team).await.0 == 200;
            until(IN_FORCE, "a new group", makes).await;
            self.fleet.call(replica, "DELETE", "group-delete", &self.newcomer, &team).await.response();
            self.fleet.call(replica, "POST", "jitconfig-generate", &self.cast.ada, &LINUX).await.response();
        }
        let kept = async || self.fleet.database.events_of(requests).await == requests.len();
        until(SEEN, "the events", kept).await;
    }

    /// Whether two who list the group at once on one process share what is fetched.
    async fn two_lists_are_shared(&self) -> bool {
        let fleet = &self.fleet;
        fleet.fake.clear_calls();
        // Long enough that the other has come by then.
        fleet.fake.inject(Fault::on("GET", GROUP_RUNNERS).delay(Duration::from_secs(2)));
        let list = || fleet.call(1, "GET", "group-list", &self.cast.ada, &PAYMENTS);
        let (one, other) = Box::pin(async { tokio::join!(list(), list()) }).await;
        fleet.fake.clear_faults();
        one.response();
        other.response();
        fleet.fake.count("GET", GROUP_RUNNERS) == 1
    }

    /// Waits until they do: whether they may is a question to the store that it has 50 ms for.
    async fn lists_are_shared(&self) {
        until(SEEN, "two lists that are one", async || self.two_lists_are_shared().await).await;
    }
}

async fn with_a_gate(server: Value) -> (Scene, Gate) {
    let (database, gate) = Database::behind_a_gate().await;
    (scene(database, server).await, gate)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn while_the_store_is_away_each_does_what_it_can_alone_and_afterwards_all_is_as_before() {
    let (scene, gate) = with_a_gate(json!({})).await;
    scene.lists_are_shared().await;
    gate.close();
    scene.fails().await;
    let mut requests = scene.goes_on().await;
    scene.records_nothing().await;
    assert!(!scene.two_lists_are_shared().await);
    for what in ["turn", "generation"] {
        let alone =
            scene.fleet.replicas[1].metric(&format!("arm_store_fallbacks_total{{what=\"{what}\"")).await;
        assert!(alone.is_some_and(|alone| alone > 0.0), "{what}: {alone:?}");
    }
    requests.extend(scene.goes_on().await);
    gate.open();
    scene.works_again().await;
    scene.is_whole(&requests).await;
    scene.lists_are_shared().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn while_the_store_is_away_each_has_its_part_of_a_users_limit_and_afterwards_they_share_it() {
    let limit = json!({ "rateLimit": RATE, "rateBurst": RATE });
    let (scene, gate) = with_a_gate(limit).await;
    let Scene { fleet, cast, .. } = &scene;
    let all = async |token: &str| {
        let each = (0..REPLICAS).map(|replica| accepted(fleet, replica, token, 10, TIME));
        futures_util::future::join_all(each).await
    };
    gate.close();
    scene.fails().await;
    // Nobody asked for her before.
    let alone = all(&cast.eve).await;
    let expected = f64::from(RATE) / 3.0 * (1.0 + TIME.as_secs_f64());
    for accepted in &alone {
        let off = f64::from(*accepted) / expected - 1.0;
        assert!(off.abs() <= 0.15, "{alone:?}, {expected} each were expected");
    }
    gate.open();
    scene.works_again().await;
    let before = fallbacks(fleet).await;
    assert!(before > 0.0);
    let together: u32 = all(&cast.bob).await.iter().sum();
    let expected = f64::from(RATE) * (1.0 + TIME.as_secs_f64());
    let range = expected * 0.85..=expected * 1.15 + fallbacks(fleet).await - before;
    assert!(range.contains(&f64::from(together)), "{together} is not in {range:?}");
}

/// Every table refuses what is written into it with what PostgreSQL says when its disk is full. What is read is read.
const FULL: &str = "
    CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
            EXECUTE format('CREATE TRIGGER is_full BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION is_full()', name);
        END LOOP;
    END $$";

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run postgres"]
async fn a_store_that_refuses_every_write_as_a_full_disk_does_is_one_that_is_away() {
    let scene = scene(Database::new().await, json!({})).await;
    scene.fleet.database.run(FULL).await;
    scene.fails().await;
    let mut requests = scene.goes_on().await;
    scene.records_nothing().await;
    requests.extend(scene.goes_on().await);
    scene.fleet.database.run("DROP FUNCTION is_full CASCADE").await;
    scene.works_again().await;
    scene.is_whole(&requests).await;
}
