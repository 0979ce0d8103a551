//! `Cors` of a function URL.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-url-cors.html>

use crate::template::{
    error::Problem,
    item::{Fields, Item},
    model::Cors,
};

/// The methods that Lambda accepts. It answers `OPTIONS` itself.
const METHODS: [&str; 7] = ["GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"];

/// The longest time for which a preflight's answer may be kept, in seconds.
const LONGEST_AGE: u32 = 86_400;

pub(super) fn read(mut fields: Fields<'_>) -> Cors {
    let cors = Cors {
        allow_credentials: fields
            .read("AllowCredentials", Item::boolean)
            .unwrap_or(false),
        allow_headers: texts(&mut fields, "AllowHeaders"),
        allow_methods: fields.read("AllowMethods", methods).unwrap_or_default(),
        allow_origins: texts(&mut fields, "AllowOrigins"),
        expose_headers: texts(&mut fields, "ExposeHeaders"),
        max_age: fields.read("MaxAge", max_age),
    };
    fields.finish(&[]);
    cors
}

fn texts(fields: &mut Fields<'_>, key: &str) -> Vec<String> {
    fields.read(key, list).unwrap_or_default()
}

fn list(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    item.items()?.iter().map(Item::text).collect()
}

fn methods(item: &Item<'_>) -> Result<Vec<String>, Problem> {
    let methods = list(item)?;
    match methods
        .iter()
        .find(|method| !METHODS.contains(&method.as_str()))
    {
        None => Ok(methods),
        Some(method) => Err(item.problem(format!(
            "must consist of {}, got `{method}`",
            METHODS.join(", ")
        ))),
    }
}

fn max_age(item: &Item<'_>) -> Result<u32, Problem> {
    let seconds = item.number()?;
    if seconds > LONGEST_AGE {
        return Err(item.problem(format!("must be 0 to {LONGEST_AGE} seconds, got {seconds}")));
    }
    Ok(seconds)
}
