//! The status codes that the gateway itself answers calls of gRPC with.

/// A status code of gRPC, by its number on the wire; the label of `paifang_grpc_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcStatus {
    /// Nothing better is known.
    Unknown = 2,
    /// Something took too long.
    DeadlineExceeded = 4,
    /// The client may not.
    PermissionDenied = 7,
    /// Too much, or too many.
    ResourceExhausted = 8,
    /// There is no such method.
    Unimplemented = 12,
    /// Something is broken.
    Internal = 13,
    /// Later may be better.
    Unavailable = 14,
    /// The client has to say who it is.
    Unauthenticated = 16,
}

impl GrpcStatus {
    pub(super) const ALL: [Self; 8] = [
        Self::Unknown,
        Self::DeadlineExceeded,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::Unauthenticated,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The place among [`Self::ALL`].
    pub(super) fn place(self) -> usize {
        Self::ALL.iter().position(|status| *status == self).unwrap_or_default()
    }
}
