//! Why TLS handshakes with clients fail, in the words of the metric.

use crate::metrics::HandshakeFailure;
use rustls::Error;

/// Why a handshake failed.
pub(super) fn failure(error: &std::io::Error) -> HandshakeFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        None => HandshakeFailure::Closed,
        Some(Error::AlertReceived(_)) => HandshakeFailure::Refused,
        Some(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => HandshakeFailure::Incompatible,
        // The one general error of a server's handshake.
        Some(Error::General(_)) => HandshakeFailure::NoCertificate,
        Some(_) => HandshakeFailure::Malformed,
    }
}
