//! The closed lists that labels take their values from. `docs/operations.md` lists the same.

use crate::domain::words::words;

words! {
    /// A kind of call to GitHub: the label `call`.
    #[expect(missing_docs, reason = "each says which call it is")]
    pub enum CallKind {
        AddGroupRepository = "add_group_repository",
        CreateGroup = "create_group",
        DeleteGroup = "delete_group",
        DeleteRunner = "delete_runner",
        Environment = "environment",
        Group = "group",
        GroupHostedRunners = "group_hosted_runners",
        GroupRepositories = "group_repositories",
        GroupRunners = "group_runners",
        Groups = "groups",
        Installation = "installation",
        InstallationToken = "installation_token",
        JitConfig = "jit_config",
        Membership = "membership",
        MoveRunner = "move_runner",
        Organisation = "organisation",
        OrgMembership = "org_membership",
        Probe = "probe",
        RegistrationToken = "registration_token",
        RemovalToken = "removal_token",
        RemoveGroupRepository = "remove_group_repository",
        RepositoryPermission = "repository_permission",
        RepositoryRegistrationToken = "repository_registration_token",
        RepositoryRemovalToken = "repository_removal_token",
        Runner = "runner",
        RunnerNamed = "runner_named",
        SetGroupRepositories = "set_group_repositories",
        Team = "team",
        TeamRepositories = "team_repositories",
        TeamRepository = "team_repository",
        Teams = "teams",
        User = "user",
        UserById = "user_by_id",
    }
}

words! {
    /// How a call to GitHub ended: the label `outcome` of calls. The failures are those of `github::Class`.
    #[expect(missing_docs, reason = "`github::Class` describes them")]
    pub enum CallOutcome {
        Success = "success",
        NotFound = "not_found",
        Unauthorized = "unauthorized",
        Forbidden = "forbidden",
        ServiceRefused = "service_refused",
        NotGithub = "not_github",
        Conflict = "conflict",
        Rejected = "rejected",
        RateLimited = "rate_limited",
        ShareSpent = "share_spent",
        Overloaded = "overloaded",
        Timeout = "timeout",
        Unreachable = "unreachable",
        Faulty = "faulty",
        Unexpected = "unexpected",
        /// The caller's token made a change before, or has no id.
        TokenUsed = "token_used",
        /// Nobody waits for it any more.
        GivenUp = "given_up",
    }
}

impl CallKind {
    /// The first of the kinds that have the same path at GitHub: its limits on endpoints are on them together.
    #[must_use]
    pub fn endpoint(self) -> Self {
        match self {
            Self::RemoveGroupRepository => Self::AddGroupRepository,
            Self::DeleteGroup => Self::Group,
            Self::DeleteRunner => Self::Runner,
            Self::SetGroupRepositories => Self::GroupRepositories,
            Self::CreateGroup => Self::Groups,
            other => other,
        }
    }
}

words! {
    /// What there was too little of when a call was refused here: the label `scarce`.
    pub enum Scarce {
        /// The hour ran short, and the caller used their share.
        PrincipalShare = "principal_share",
        /// The hour ran short, and the team used its share.
        TeamShare = "team_share",
        /// The hour ran short, and the service itself used its share.
        SystemShare = "system_share",
        /// Little of the hour is left, and kept for changes.
        Reserve = "reserve",
        /// The part of those who have nothing to do with the organisation.
        Strangers = "strangers",
        /// Names that are no team's, by one caller.
        UnknownTeams = "unknown_teams",
        /// Calls of one endpoint in a minute.
        Pace = "pace",
        /// Places for calls under way, and for those that wait.
        Places = "places",
    }
}

words! {
    /// A cache whose look-ups are counted: the label `cache`.
    pub enum Cache {
        /// Whose a token is.
        Identity = "identity",
        /// A team by its slug.
        Team = "team",
        /// Whether a user maintains a team.
        Membership = "membership",
        /// A team's runner group.
        Group = "group",
        /// The App's installation tokens.
        InstallationToken = "installation_token",
    }
}

words! {
    /// How a look-up in a cache ended: the label `outcome` of look-ups.
    pub enum LookUp {
        /// It was there.
        Hit = "hit",
        /// It was not.
        Miss = "miss",
    }
}

words! {
    /// Who sent a request: the label `caller`.
    pub enum CallerKind {
        /// Nobody who is known.
        Unknown = "unknown",
        /// A user.
        User = "user",
        /// Somebody with a token of an OIDC issuer.
        Workload = "workload",
        /// Somebody with a team token.
        Token = "token",
        /// The service itself.
        System = "system",
    }
}

words! {
    /// A limiter that refuses requests: the label `limiter`.
    pub enum Limiter {
        /// Of callers, whatever they are.
        User = "user",
        /// Of unknown tokens from addresses that sent bad ones.
        UnknownToken = "unknown_token",
        /// Of JIT configs, by an access entry or by all of a team's.
        JitConfigs = "jit_configs",
    }
}

words! {
    /// What is read again while the service runs: the label `what`.
    pub enum Reloaded {
        /// The configuration's file.
        Configuration = "configuration",
        /// The TLS certificate with its key.
        Certificate = "certificate",
        /// The App's key or the token.
        Credential = "credential",
    }
}

words! {
    /// How a reload ended: the label `outcome` of reloads.
    pub enum ReloadOutcome {
        /// It is in force.
        Success = "success",
        /// The old one stays in force.
        Failure = "failure",
    }
}

words! {
    /// How it ended when the keys of an OIDC issuer were read: the label `outcome` of keys.
    pub enum KeysFetched {
        /// They are in force.
        Success = "success",
        /// Those that were known stay in force for a while.
        Failure = "failure",
    }
}

words! {
    /// The limit that closed a connection: the label `cause`.
    pub enum CutOff {
        /// Its address has too many.
        Address = "address",
        /// The TLS handshake took too long.
        Handshake = "handshake",
        /// A head was too large.
        HeadSize = "head_size",
        /// A head took too long.
        HeadTime = "head_time",
        /// A body took too long, after its response.
        BodyTime = "body_time",
    }
}

words! {
    /// What a process decided alone that all decide together while the store works: the label `what` of fall-backs.
    pub enum Alone {
        /// Whether a request is within its caller's limit.
        Limit = "limit",
        /// Who has the turn with a group.
        Turn = "turn",
        /// Whether a list that is being read may be shared.
        Generation = "generation",
    }
}
