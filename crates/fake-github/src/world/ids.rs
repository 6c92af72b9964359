//! GitHub's numbers, one type for each thing, so that a team's can't be passed for a runner's.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// The number of a user account.
    UserId
);
id!(
    /// The number of a team.
    TeamId
);
id!(
    /// The number of a repository.
    RepoId
);
id!(
    /// The number of a runner group.
    GroupId
);
id!(
    /// The number of a self-hosted runner.
    RunnerId
);
id!(
    /// The number of an App's installation.
    InstallationId
);
