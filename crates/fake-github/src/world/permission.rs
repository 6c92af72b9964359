//! What somebody may do with a repository.

/// What somebody may do with a repository, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Role `read`.
    Pull,
    /// Role `triage`.
    Triage,
    /// Role `write`.
    Push,
    /// Role `maintain`.
    Maintain,
    /// Role `admin`.
    Admin,
}

impl Permission {
    pub(crate) fn role_name(self) -> &'static str {
        match self {
            Self::Pull => "read",
            Self::Triage => "triage",
            Self::Push => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The older four-word scale, on which `maintain` is `write` and `triage` is `read`.
    pub(crate) fn legacy_name(self) -> &'static str {
        match self {
            Self::Pull | Self::Triage => "read",
            Self::Push | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }
}
