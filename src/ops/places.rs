//! Places in a group. Whoever brings runners into it must not overrun `policy.maxRunners`, nor do so while it is
//! deleted: GitHub may drop the runners of a deleted group into Default, where any repository could reach them.

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::Error;
use super::error::missing_group;
use crate::access::ManagedGroup;
use crate::state::Shared;

/// A turn with a group: to be held until the runners are in it, or the group is gone.
#[derive(Debug)]
#[expect(dead_code, reason = "only held")]
pub(super) enum Turn {
    /// Others may bring runners, too; nobody deletes the group.
    Together(OwnedRwLockReadGuard<()>),
    /// Nobody else brings runners or deletes the group.
    Alone(OwnedRwLockWriteGuard<()>),
}

/// Waits until nobody else in this process brings runners into the group or deletes it.
pub(super) async fn alone(state: &Shared, group: &ManagedGroup) -> Turn {
    Turn::Alone(state.turns_of(group.id()).write_owned().await)
}

/// Waits for a turn to bring so many runners into the group, in which they have to find room.
pub(super) async fn room_for(state: &Shared, group: &ManagedGroup, coming: usize) -> Result<Turn, Error> {
    let most = state.policy.load().max_runners;
    if most == 0 {
        return Ok(Turn::Together(state.turns_of(group.id()).read_owned().await));
    }
    // Alone, so that two callers at once can't both take the last place.
    let turn = alone(state, group).await;
    let held = state.github.group_runners(group.id()).await.map_err(missing_group)?.len();
    if held.saturating_add(coming) as u64 > most { Err(Error::TooManyRunners(most)) } else { Ok(turn) }
}
