use super::{
    message::{Name, Names, Refusal},
    *,
};
use crate::rpc::transcode;
use http::{HeaderMap, Method};

/// A server that knows the files of the shop, and sends with each file what it has not sent yet.
struct Shop {
    files: Vec<(String, Bytes)>,
    /// Whether imports come with the files that import them.
    sends_imports: bool,
}

impl Shop {
    fn of_shop(sends_imports: bool) -> Self {
        let files = Files::decode(transcode::shop_set().as_slice()).unwrap().files.into_iter();
        let named = |bytes: Bytes| (FileDescriptorProto::decode(bytes.clone()).unwrap().name().to_owned(), bytes);
        Self { files: files.map(named).collect(), sends_imports }
    }

    fn answer(&self, question: &[u8]) -> Reply {
        let text = format!("{:?}", Request::decode(question).unwrap());
        let files = |wanted: &dyn Fn(&str) -> bool| {
            let all = self.files.iter().filter(|(name, _)| self.sends_imports || wanted(name));
            let files: Vec<_> = all.map(|(_, bytes)| bytes.clone()).collect();
            match files.is_empty() {
                true => Answer::Error(Refusal { code: 5, text: "not found".to_owned() }),
                false => Answer::Files(Files { files }),
            }
        };
        let answer = if text.contains("ListServices") {
            let names = ["shop.v1.Shop", "shop.v1.Orders", "grpc.reflection.v1.ServerReflection"];
            Answer::Services(Names { services: names.map(|name| Name { name: name.to_owned() }).into() })
        } else if text.contains("FileOfSymbol(\"shop.v1.") {
            files(&|name| name == "shop.proto")
        } else {
            files(&|name| text.contains(&format!("FileByName(\"{name}\")")))
        };
        Reply { answer: Some(answer) }
    }
}

fn talk(server: &Shop) -> Result<(Services, usize), NotTold> {
    let (mut discovery, mut questions) = (Discovery::default(), 0);
    while let Some(question) = discovery.question() {
        questions += 1;
        discovery.answer(&server.answer(&question).encode_to_vec())?;
    }
    Ok((discovery.finish()?, questions))
}

fn knows_items(services: &Services) -> bool {
    let (method, headers) = (Method::GET, HeaderMap::new());
    let view =
        crate::table::RequestView { host: "", path: "/v1/items/7", method: &method, headers: &headers, query: None };
    matches!(services.find(&view), crate::table::Outcome::Found(_))
}

#[test]
fn a_server_tells_its_services_and_what_their_files_import() {
    let (services, questions) = talk(&Shop::of_shop(true)).unwrap();
    assert!(knows_items(&services));
    assert_eq!((services.methods(), questions), (13, 3));
    let (services, questions) = talk(&Shop::of_shop(false)).unwrap();
    assert!(knows_items(&services), "imports are asked for");
    assert!(questions > 5, "{questions}");
}

#[test]
fn files_that_every_compiler_has_need_not_be_told() {
    let mut server = Shop::of_shop(false);
    server.files.retain(|(name, _)| !name.starts_with("google/protobuf/"));
    assert!(knows_items(&talk(&server).unwrap().0));
}

#[test]
fn a_server_that_does_not_tell_its_own_files_is_refused() {
    let mut server = Shop::of_shop(false);
    server.files.retain(|(name, _)| name != "google/api/http.proto");
    let error = talk(&server).unwrap_err().to_string();
    assert_eq!(error, "the server does not tell of file google/api/http.proto: not found");
}

#[test]
fn other_messages_end_the_conversation() {
    let told = |message: &[u8]| Discovery::default().answer(message);
    assert!(matches!(told(&[0xff]), Err(NotTold::OtherMessage)));
    assert!(matches!(told(&[]), Err(NotTold::OtherMessage)));
    let files = Reply { answer: Some(Answer::Files(Files { files: Vec::new() })) };
    assert!(matches!(told(&files.encode_to_vec()), Err(NotTold::OtherMessage)));
    let names = vec![Name { name: "a.B".to_owned() }; MAX_FILES + 1];
    let many = Reply { answer: Some(Answer::Services(Names { services: names })) };
    assert!(matches!(told(&many.encode_to_vec()), Err(NotTold::TooLarge)));
    assert!(matches!(told(&vec![0; MAX_SET + 1]), Err(NotTold::TooLarge)));
}

#[test]
fn a_server_of_one_file_tells_all_that_is_asked_of_it() {
    let file = FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        package: Some("a.v1".to_owned()),
        message_type: vec![prost_types::DescriptorProto { name: Some("Nothing".to_owned()), ..Default::default() }],
        service: vec![prost_types::ServiceDescriptorProto {
            name: Some("Say".to_owned()),
            method: vec![prost_types::MethodDescriptorProto {
                name: Some("Hello".to_owned()),
                input_type: Some(".a.v1.Nothing".to_owned()),
                output_type: Some(".a.v1.Nothing".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let (server, mut discovery) = (server::Server::new(file), Discovery::default());
    while let Some(question) = discovery.question() {
        discovery.answer(&server.answer(&question).unwrap()).unwrap();
    }
    assert_eq!(discovery.finish().unwrap().methods(), 1);
    let told =
        |question| Reply::decode(server.answer(&Request::of(&question).encode_to_vec()).unwrap()).unwrap().answer;
    assert!(matches!(told(Question::File("a.proto".to_owned())), Some(Answer::Files(_))));
    assert!(matches!(told(Question::File("b.proto".to_owned())), Some(Answer::Error(_))));
    assert!(matches!(told(Question::Symbol("a.v10.Say".to_owned())), Some(Answer::Error(_))));
    assert_eq!(server.answer(b"\xff"), None);
}
