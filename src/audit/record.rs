//! An audit line as it is written. Fields that don't apply are omitted.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;

use super::Details;
use crate::config::Change;
use crate::domain::ids::{GroupId, TeamId, UserId};
use crate::domain::outcome::Outcome;
use crate::domain::reason::Cause;
use crate::metrics::CallerKind;
use crate::request::{Caller, Context, Workload};
use crate::store::Event;
use crate::telemetry::AUDIT_TARGET;

/// An audit line.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    /// When it ended: RFC 3339, UTC. This and the next three begin every line of the log.
    timestamp: String,
    /// Always `info`: audit lines are written at any level.
    level: &'static str,
    target: &'static str,
    /// Operation and outcome, for people.
    message: String,
    /// The same as `timestamp`, under the name that audit lines had first.
    time: String,
    request_id: &'a str,
    operation: &'static str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// What the caller is.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<CallerKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// What the token of an issuer says of its holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<&'a Workload>,
    /// The access entry by which the caller acts, or that the operation is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_id: Option<TeamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_team: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    as_administrator: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<GroupId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<OwnedGroup<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    repositories: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    runners: &'a [String],
    #[serde(skip_serializing_if = "<[Change]>::is_empty")]
    changes: &'a [Change],
    /// Keys of those changes that are in force only after a restart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs_restart: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    github_request_ids: &'a [String],
}

/// A group that was given to a team, or taken from it.
#[derive(Serialize)]
struct OwnedGroup<'a> {
    team_id: TeamId,
    group_id: GroupId,
    group: &'a str,
}

impl<'a> OwnedGroup<'a> {
    fn new((team_id, group_id, group): &'a (TeamId, GroupId, String)) -> Self {
        Self { team_id: *team_id, group_id: *group_id, group }
    }
}

impl<'a> Record<'a> {
    /// The same as an event for the store; `json` is this record.
    pub(super) fn event(&self, context: &Context, json: String) -> Event {
        let caller = context.caller().map(|caller| match caller {
            Caller::System => "system".to_owned(),
            caller => {
                let principal = caller.principal();
                format!("{}:{}", principal.kind(), principal.number())
            }
        });
        Event {
            at_ms: u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or(0),
            operation: self.operation,
            outcome: self.outcome,
            reason: self.reason,
            team: self.team_id,
            caller,
            request_id: self.request_id.to_owned(),
            record: json,
        }
    }

    pub(super) fn new(
        context: &'a Context,
        details: &'a Details,
        outcome: Outcome,
        reason: Option<Cause>,
    ) -> Self {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let operation = context.operation().unwrap_or_default();
        let team = context.team();
        let found = details.group.as_ref();
        let waiting = details.changes.iter().filter(|change| change.needs_restart());
        Self {
            timestamp: now.clone(),
            level: "info",
            target: AUDIT_TARGET,
            message: format!("{operation}: {outcome}"),
            time: now,
            request_id: context.id(),
            operation,
            outcome,
            reason,
            count: details.count,
            caller: context.caller().map(Caller::kind),
            user: context.caller().map(Caller::name),
            user_id: context.caller().and_then(Caller::user_id),
            workload: match context.caller() {
                Some(Caller::Workload(workload)) => Some(workload),
                _ => None,
            },
            entry: details.entry.or_else(|| context.entry()).map(|entry| entry.to_string()),
            client: context.client(),
            team: context.team_name(),
            team_id: team.map(|team| team.id),
            to_team: details.to_team.as_deref(),
            as_administrator: context.is_as_administrator(),
            dry_run: details.dry_run,
            group: found
                .map(|(name, _)| name.as_str())
                .or(details.named_group.as_deref())
                .or_else(|| team.map(|team| team.group.as_str())),
            group_id: found.map(|(_, id)| *id),
            records: details.records.iter().map(OwnedGroup::new).collect(),
            repositories: &details.repositories,
            runners: &details.runners,
            changes: &details.changes,
            needs_restart: waiting.map(|change| change.key.as_str()).collect(),
            github_request_ids: &details.github_request_ids,
        }
    }
}
