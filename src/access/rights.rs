//! What a caller may be allowed to do. An operation names the right that it takes; a caller's standing says which
//! rights they hold.

use crate::domain::entry::{AccessEntry, EntryOperation};
use crate::domain::policy::AccessPolicy;

/// A right, as narrow as it may ever be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Right {
    /// Learning that a token works here. Every caller has it.
    Status,
    /// A token for a scope; its holder is checked against the scope itself.
    Scope,
    /// What only maintainers of the team may do.
    Maintain,
    /// What only administrators of the service may do.
    Administer,
    /// `group-list`.
    GroupList,
    /// `group-show`.
    GroupShow,
    /// `repos-add`.
    ReposAdd,
    /// `repos-remove`.
    ReposRemove,
    /// `jitconfig-generate`.
    JitconfigGenerate,
    /// `runners-list`.
    RunnersList,
    /// `runners-remove`.
    RunnersRemove,
    /// `demand`.
    Demand,
    /// `diagnose`.
    Diagnose,
}

impl From<EntryOperation> for Right {
    fn from(operation: EntryOperation) -> Self {
        match operation {
            EntryOperation::JitconfigGenerate => Self::JitconfigGenerate,
            EntryOperation::Demand => Self::Demand,
            EntryOperation::Diagnose => Self::Diagnose,
            EntryOperation::RunnersList => Self::RunnersList,
            EntryOperation::RunnersRemove => Self::RunnersRemove,
            EntryOperation::GroupList => Self::GroupList,
            EntryOperation::GroupShow => Self::GroupShow,
            EntryOperation::ReposAdd => Self::ReposAdd,
            EntryOperation::ReposRemove => Self::ReposRemove,
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights(u32);

impl Rights {
    /// What a maintainer of the team may do: everything about it.
    pub const OF_MAINTAINERS: Self = Self(!(1 << Right::Administer as u8));
    /// What an administrator may do, also with the group of a team that they don't maintain.
    pub const OF_ADMINISTRATORS: Self = Self::containing(&[
        Right::Administer,
        Right::GroupList,
        Right::GroupShow,
        Right::RunnersList,
        Right::RunnersRemove,
    ]);

    const fn containing(rights: &[Right]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < rights.len() {
            set |= 1 << rights[index] as u8;
            index += 1;
        }
        Self(set)
    }

    /// What the holder of an entry may do under a policy.
    pub fn of_entry(entry: &AccessEntry, policy: &AccessPolicy) -> Self {
        let allowed = |operation: &&EntryOperation| policy.operations.contains(operation);
        let rights = entry.operations.iter().filter(allowed).map(|operation| Right::from(*operation));
        rights.fold(Self(0), |set, right| Self(set.0 | 1 << right as u8))
    }

    /// Whether the right is among them.
    pub const fn include(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_made_of_and_nothing_else() {
        let rights = Rights::containing(&[Right::JitconfigGenerate, Right::GroupList]);
        assert!(rights.include(Right::JitconfigGenerate) && rights.include(Right::GroupList));
        for other in [Right::Status, Right::Scope, Right::Maintain, Right::ReposAdd, Right::RunnersRemove] {
            assert!(!rights.include(other), "{other:?}");
        }
    }

    #[test]
    fn an_administrator_may_look_and_remove_runners_but_not_change_a_group() {
        for right in [Right::GroupList, Right::RunnersList, Right::RunnersRemove] {
            assert!(Rights::OF_ADMINISTRATORS.include(right), "{right:?}");
        }
        for right in [Right::Maintain, Right::ReposAdd, Right::JitconfigGenerate] {
            assert!(!Rights::OF_ADMINISTRATORS.include(right), "{right:?}");
            assert!(Rights::OF_MAINTAINERS.include(right), "{right:?}");
        }
        assert!(!Rights::OF_MAINTAINERS.include(Right::Administer));
    }
}
