use super::*;
use http_body_util::BodyExt as _;

#[tokio::test]
async fn a_body_that_is_here_can_be_sent_again_as_itself() {
    let mut body = RequestBody::whole("abc".into());
    let replica = body.replica().unwrap();
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
    assert!(body.is_end_stream() && body.frame().await.is_none());
    assert_eq!(replica.collect().await.unwrap().to_bytes(), "abc");
}

#[tokio::test]
async fn no_body_is_one_that_is_here() {
    let replica = RequestBody::empty().replica().unwrap();
    assert!(replica.is_end_stream());
    assert!(replica.collect().await.unwrap().to_bytes().is_empty());
}
