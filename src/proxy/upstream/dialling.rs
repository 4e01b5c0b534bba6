//! A dial that several requests wait for.

use super::http2::Multiplexed;
use crate::proxy::{error::Failure, request_body::RequestBody};
use futures_util::future::{LocalBoxFuture, Shared, WeakShared};
use hyper::client::conn::http1;
use std::{cell::Cell, fmt, rc::Rc};

/// What a dial that is shared has come to.
#[derive(Clone)]
pub(super) enum Dialled {
    /// All of them may use it.
    Http2(Rc<Multiplexed>),
    /// The first of them may take it.
    Http1(Rc<Cell<Option<http1::SendRequest<RequestBody>>>>),
}

/// A dial, to be shared.
pub(super) type Dialling = LocalBoxFuture<'static, Result<Dialled, Failure>>;

/// A dial that is under way, for those who come later.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Option<WeakShared<Dialling>>);

impl UnderWay {
    /// Who comes later waits for this one, as long as somebody waits for it at all.
    pub(super) fn of(dialling: &Shared<Dialling>) -> Self {
        Self(dialling.downgrade())
    }

    /// Whether somebody waits for it.
    pub(super) fn is_some(&self) -> bool {
        self.join().is_some()
    }

    /// Waits for it too, if it is still under way.
    pub(super) fn join(&self) -> Option<Shared<Dialling>> {
        self.0.as_ref()?.upgrade()
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnderWay").field(&self.0.is_some()).finish()
    }
}
