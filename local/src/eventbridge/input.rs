//! The text that a target receives: the event, a part of it, a constant, or a template with its values.

mod path;
mod template;

use serde_json::Value;

use self::path::Path;
pub use self::template::Transformer;

/// A target's `Input`, `InputPath` or `InputTransformer`, or none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input(Kind);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// The event as it is.
    #[default]
    Event,
    Constant(String),
    Path(Path),
    Transformer(Transformer),
}

/// The reason that a target's input is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A constant is not JSON.
    #[error("must be valid JSON")]
    NotJson,
    /// A path has an unsupported syntax.
    #[error(
        "`{0}` is not a path that EventBridge supports: use $, members after dots, indices in brackets, and *"
    )]
    Path(String),
    /// A variable has the name of one of EventBridge's own.
    #[error("the variable `{0}` has a reserved name: choose one that does not begin with aws.")]
    Reserved(String),
    /// There are more variables than EventBridge allows.
    #[error("InputPathsMap has more than {0} variables")]
    TooMany(usize),
    /// The template is longer than EventBridge allows.
    #[error("InputTemplate is longer than {0} characters")]
    TooLong(usize),
    /// The template names a variable that does not exist.
    #[error("<{0}> is neither in InputPathsMap nor a reserved variable")]
    Unknown(String),
    /// A variable has no end.
    #[error("InputTemplate has a < without a >")]
    Unclosed,
    /// A variable that is an object is within a string.
    #[error("<{0}> is an object and cannot be within quotation marks")]
    Quoted(String),
}

/// An event on its way to a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered<'a> {
    pub(super) event: &'a Value,
    /// RFC 3339.
    pub(super) ingested_at: &'a str,
    pub(super) rule_name: &'a str,
    pub(super) rule_arn: &'a str,
}

impl Input {
    /// Returns the input of a constant text.
    ///
    /// # Errors
    ///
    /// Returns [`InputError::NotJson`] if it is not JSON.
    pub fn constant(text: String) -> Result<Self, InputError> {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        is_json
            .then_some(Self(Kind::Constant(text)))
            .ok_or(InputError::NotJson)
    }

    /// Returns the input of a part of the event.
    ///
    /// # Errors
    ///
    /// Returns [`InputError::Path`] if the path is invalid.
    pub fn path(path: &str) -> Result<Self, InputError> {
        Path::parse(path).map(Kind::Path).map(Self)
    }

    /// Returns the input of a template.
    pub fn transformer(transformer: Transformer) -> Self {
        Self(Kind::Transformer(transformer))
    }

    /// Returns the text for the target, or `None` if it is the event as it is. A part that the event does
    /// not have is `null`.
    pub(super) fn text(&self, delivered: Delivered<'_>) -> Option<String> {
        match &self.0 {
            Kind::Event => None,
            Kind::Constant(text) => Some(text.clone()),
            Kind::Path(path) => Some(path.value(delivered.event).unwrap_or_default().to_string()),
            Kind::Transformer(transformer) => Some(transformer.fill(delivered)),
        }
    }
}
