//! The sections `groups` and `admin`: whose a runner group is, and who oversees them.

use super::team_or_none;
use crate::config::GroupsConfig;
use crate::config::node::Node;
use crate::config::reader::{Reader, Valid};
use crate::config::values::{Complaint, Outcome, boolean, text_or_empty, whole};
use crate::domain::ids::TeamId;
use crate::domain::policy::AdministratorsTeam;
use crate::domain::template::GroupNameTemplate;

pub(super) fn groups(reader: &mut Reader) -> Valid<GroupsConfig> {
    // From variables alone the service is a token proxy, as the one before it was.
    let enabled = if reader.has_file() { "true" } else { "false" };
    let enabled = reader.or_default("groups.enabled", enabled, boolean);
    let name = reader.or_default("groups.name", "{team}", group_name);
    let trust_names = reader.or_default("groups.trustNames", "false", boolean);
    let allow_open = reader.or_default("groups.allowOpen", "false", boolean);
    Ok(GroupsConfig { enabled: enabled?, name: name?, trust_names: trust_names?, allow_open: allow_open? })
}

fn group_name(node: &Node) -> Outcome<GroupNameTemplate> {
    GroupNameTemplate::parse(&text_or_empty(node)?).map_err(|error| Complaint::Message(error.to_string()))
}

/// An id says more than a name, so it counts where both are given.
pub(super) fn administrators(reader: &mut Reader) -> Valid<AdministratorsTeam> {
    let team = reader.or_default("admin.team", "", team_or_none);
    let id = reader.or_default("admin.teamID", "0", whole::<u64>(0, u64::MAX));
    Ok(match (team?, id?) {
        (_, id) if id > 0 => AdministratorsTeam::Id(TeamId(id)),
        (Some(slug), _) => AdministratorsTeam::Slug(slug),
        (None, _) => AdministratorsTeam::None,
    })
}
