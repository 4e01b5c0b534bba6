//! Fields by their path, and values of them from text, as paths and queries have it.

use prost_reflect::{
    Cardinality, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
    Value,
};

/// The most messages within each other that a path leads through.
const MAX_DEPTH: usize = 16;

/// Why a text is no value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoField {
    #[error("field {field:?}: message {message} has no such field")]
    Unknown { field: String, message: String },
    #[error("field {field:?}: {part:?} is not a message, so nothing is in it")]
    NotMessage { field: String, part: String },
    #[error("field {field:?}: a message, a map or a group cannot be written as text")]
    NotText { field: String },
    #[error("field {field:?}: {wanted} is expected")]
    BadText { field: String, wanted: &'static str },
    #[error("field {field:?}: more than {MAX_DEPTH} messages within each other")]
    TooDeep { field: String },
}

/// The field of this name, or of this name in JSON.
fn named(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

/// The field at the end of a dotted path, and those before it.
fn steps(message: &MessageDescriptor, path: &str) -> Result<(Vec<FieldDescriptor>, FieldDescriptor), NoField> {
    let (mut message, mut before) = (message.clone(), Vec::new());
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let unknown = || NoField::Unknown { field: path.to_owned(), message: message.full_name().to_owned() };
        let field = named(&message, name).ok_or_else(unknown)?;
        if names.peek().is_none() {
            return Ok((before, field));
        }
        let Kind::Message(inner) = field.kind() else {
            return Err(NoField::NotMessage { field: path.to_owned(), part: name.to_owned() });
        };
        if field.cardinality() == Cardinality::Repeated {
            return Err(NoField::NotText { field: path.to_owned() });
        }
        if before.len() == MAX_DEPTH {
            return Err(NoField::TooDeep { field: path.to_owned() });
        }
        before.push(field);
        message = inner;
    }
    Err(NoField::Unknown { field: path.to_owned(), message: message.full_name().to_owned() })
}

/// The field at the end of a dotted path.
pub(super) fn find(message: &MessageDescriptor, path: &str) -> Result<FieldDescriptor, NoField> {
    steps(message, path).map(|(_, field)| field)
}

/// Writes the values of a field: one, or any number where it is repeated. With `over` in place of what is there, else only
/// where nothing is.
pub(super) fn set(message: &mut DynamicMessage, path: &str, texts: &[&str], over: bool) -> Result<(), NoField> {
    let (before, field) = steps(&message.descriptor(), path)?;
    let mut inner = message;
    for step in &before {
        inner = match inner.get_field_mut(step) {
            Value::Message(next) => next,
            _ => return Err(NoField::NotText { field: path.to_owned() }),
        };
    }
    if !over && inner.has_field(&field) {
        return Ok(());
    }
    let value = value_of(&field, path, texts)?;
    inner.set_field(&field, value);
    Ok(())
}

fn value_of(field: &FieldDescriptor, path: &str, texts: &[&str]) -> Result<Value, NoField> {
    if field.is_map() || field.is_group() {
        return Err(NoField::NotText { field: path.to_owned() });
    }
    if field.is_list() {
        return texts.iter().map(|text| one(&field.kind(), path, text)).collect::<Result<_, _>>().map(Value::List);
    }
    // Of a field that is written twice the last one counts, as everywhere in protobuf.
    one(&field.kind(), path, texts.last().copied().unwrap_or_default())
}

fn one(kind: &Kind, path: &str, text: &str) -> Result<Value, NoField> {
    let bad = |wanted| NoField::BadText { field: path.to_owned(), wanted };
    let number = |wanted| bad(wanted);
    Ok(match kind {
        Kind::String => Value::String(text.to_owned()),
        Kind::Bool => Value::Bool(text.parse().map_err(|_| bad("true or false"))?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            Value::I32(text.parse().map_err(|_| number("a number of 32 bits"))?)
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            Value::I64(text.parse().map_err(|_| number("a number of 64 bits"))?)
        }
        Kind::Uint32 | Kind::Fixed32 => Value::U32(text.parse().map_err(|_| number("a number of 32 bits from 0"))?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(text.parse().map_err(|_| number("a number of 64 bits from 0"))?),
        Kind::Float => Value::F32(text.parse().map_err(|_| number("a number"))?),
        Kind::Double => Value::F64(text.parse().map_err(|_| number("a number"))?),
        Kind::Bytes => as_json(path, text)?,
        Kind::Enum(names) => {
            let by_name = names.get_value_by_name(text).map(|value| value.number());
            Value::EnumNumber(by_name.or_else(|| text.parse().ok()).ok_or_else(|| bad("a name of the enumeration"))?)
        }
        Kind::Message(message) => well_known(message, path, text)?,
    })
}

/// Bytes, in either alphabet of Base64, padded or not.
fn as_json(path: &str, text: &str) -> Result<Value, NoField> {
    use base64::{
        Engine as _,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    let url = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
    let bytes = standard.decode(text).or_else(|_| url.decode(text));
    let bytes = bytes.map_err(|_| NoField::BadText { field: path.to_owned(), wanted: "Base64" })?;
    Ok(Value::Bytes(bytes.into()))
}

/// Messages that JSON writes as one value: times, durations, field masks, and wrappers of numbers and texts.
fn well_known(message: &MessageDescriptor, path: &str, text: &str) -> Result<Value, NoField> {
    if message.parent_file().package_name() != "google.protobuf" {
        return Err(NoField::NotText { field: path.to_owned() });
    }
    let read = |json: serde_json::Value| {
        DynamicMessage::deserialize_with_options(message.clone(), json, &DeserializeOptions::new()).ok()
    };
    let literal = || serde_json::from_str(text).ok().filter(|json: &serde_json::Value| !json.is_object());
    let read = read(serde_json::Value::String(text.to_owned())).or_else(|| literal().and_then(read));
    let wanted = "a value of this type as JSON writes it";
    read.map(Value::Message).ok_or_else(|| NoField::BadText { field: path.to_owned(), wanted })
}
