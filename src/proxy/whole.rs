//! Bodies that are needed as a whole: read to their end, up to a limit.

use super::error::BodyError;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};

/// All of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    /// What stood behind it.
    pub(crate) trailers: HeaderMap,
}

/// Reads a body to its end. One that has more than `most` bytes is dropped as soon as that is known.
pub(crate) async fn read<B>(body: B, most: usize) -> Result<Whole, BodyError>
where
    B: Body<Data = Bytes, Error = BodyError>,
{
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLarge);
    }
    let collected = Limited::new(body, most).collect().await.map_err(|error| {
        // The only other error is that of the limit.
        error.downcast_ref().copied().unwrap_or(BodyError::TooLarge)
    })?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Whole { bytes: collected.to_bytes(), trailers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::StreamBody;

    type Frames = Vec<Result<Frame<Bytes>, BodyError>>;

    async fn read_of(frames: Frames, most: usize) -> Result<Whole, BodyError> {
        read(StreamBody::new(futures_util::stream::iter(frames)), most).await
    }

    fn data(text: &'static str) -> Result<Frame<Bytes>, BodyError> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    #[tokio::test]
    async fn a_body_is_read_with_what_stands_behind_it() {
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), 0.into())]);
        let frames = vec![data("ab"), data(""), data("cd"), Ok(Frame::trailers(trailers.clone()))];
        assert_eq!(read_of(frames, 4).await, Ok(Whole { bytes: "abcd".into(), trailers }));
        assert_eq!(read_of(Vec::new(), 0).await, Ok(Whole::default()));
    }

    #[tokio::test]
    async fn a_body_ends_at_the_limit() {
        assert_eq!(read_of(vec![data("ab"), data("cde")], 4).await, Err(BodyError::TooLarge));
        let declared = http_body_util::Full::new(Bytes::from_static(b"abcde"));
        assert_eq!(read(declared.map_err(|never| match never {}), 4).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn what_broke_a_body_is_told() {
        let frames = vec![data("ab"), Err(BodyError::ClientStalled)];
        assert_eq!(read_of(frames, 4).await, Err(BodyError::ClientStalled));
    }
}
