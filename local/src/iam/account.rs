//! The account and Region of a request, which are part of the ARNs of its resources.

/// The account of a stack.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) region: String,
    pub(super) id: String,
}

impl Account {
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let Self { region, id } = self;
        format!("arn:aws:{service}:{region}:{id}:{resource}")
    }

    /// Returns the ARN of a resource that a request names by its ARN or its name.
    pub(super) fn arn_or(
        &self,
        name_or_arn: &str,
        arn_of_name: impl FnOnce(&str) -> String,
    ) -> String {
        if name_or_arn.starts_with("arn:") {
            name_or_arn.to_owned()
        } else {
            arn_of_name(name_or_arn)
        }
    }
}
