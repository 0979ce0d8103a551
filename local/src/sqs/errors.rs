//! SQS's errors: the shape of the JSON protocol, and the code of the query protocol with `Sender`
//! or `Receiver` as the party at fault, for SDKs that still read it.

use super::{message::SendError, queue::HandleError};
use crate::aws_json::ServiceError;

/// Returns the error of an unknown URL or name of a queue.
pub(super) fn queue_does_not_exist() -> ServiceError {
    modelled(
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue;Sender",
        "The specified queue does not exist. Only the template's queues exist.",
    )
}

/// Returns the error of an unknown ARN of a queue.
pub(super) fn resource_not_found() -> ServiceError {
    modelled(
        "ResourceNotFoundException",
        "ResourceNotFoundException;Sender",
        "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist.",
    )
}

/// Returns the error of a batch without entries.
pub(super) fn empty_batch_request() -> ServiceError {
    modelled(
        "EmptyBatchRequest",
        "AWS.SimpleQueueService.EmptyBatchRequest;Sender",
        "There should be at least one entry in the request.",
    )
}

/// Returns the error of a batch with more entries than `limit`.
pub(super) fn too_many_entries_in_batch_request(limit: usize, sent: usize) -> ServiceError {
    modelled(
        "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender",
        format!("Maximum number of entries per request are {limit}. You have sent {sent}."),
    )
}

/// Returns the error of two entries with the same id.
pub(super) fn batch_entry_ids_not_distinct(id: &str) -> ServiceError {
    modelled(
        "BatchEntryIdsNotDistinct",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender",
        format!("Id {id} repeated."),
    )
}

/// Returns the error of an invalid entry id.
pub(super) fn invalid_batch_entry_id() -> ServiceError {
    modelled(
        "InvalidBatchEntryId",
        "AWS.SimpleQueueService.InvalidBatchEntryId;Sender",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
         It can be at most 80 letters long.",
    )
}

/// Returns the error of a batch that is too large.
pub(super) fn batch_request_too_long(limit: usize, sent: usize) -> ServiceError {
    modelled(
        "BatchRequestTooLong",
        "AWS.SimpleQueueService.BatchRequestTooLong;Sender",
        format!("Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes."),
    )
}

/// Returns the error of an unknown queue attribute.
pub(super) fn invalid_attribute_name(name: &str) -> ServiceError {
    modelled(
        "InvalidAttributeName",
        "InvalidAttributeName;Sender",
        format!("Unknown Attribute {name}."),
    )
}

/// Returns the error of an operation or option that `herald-local` does not support.
pub(super) fn unsupported_operation(message: impl Into<String>) -> ServiceError {
    modelled(
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation;Sender",
        message,
    )
}

/// Returns the error of an invalid parameter value.
pub(super) fn invalid_parameter_value(message: impl Into<String>) -> ServiceError {
    unmodelled(
        "InvalidParameterValueException",
        "InvalidParameterValue;Sender",
        message,
    )
}

/// Returns the error of an injected failure.
pub(super) fn internal_failure() -> ServiceError {
    ServiceError {
        status: 500,
        ..unmodelled(
            "InternalFailure",
            "InternalFailure;Receiver",
            "The request failed by an injected fault.",
        )
    }
}

/// Returns the error of a refused receipt handle.
pub(super) fn refused_handle(error: HandleError, handle: &str) -> ServiceError {
    match error {
        HandleError::Invalid => modelled(
            "ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid;Sender",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        ),
        HandleError::Outdated => invalid_parameter_value(format!(
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
             or is not available for visibility timeout change."
        )),
        HandleError::NotInFlight => modelled(
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight;Sender",
            "The specified message isn't in flight.",
        ),
    }
}

impl From<SendError> for ServiceError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::UnknownQueue(_) => queue_does_not_exist(),
            SendError::EmptyBody => unmodelled(
                "MissingRequiredParameterException",
                "MissingParameter;Sender",
                "The request must contain the parameter MessageBody.",
            ),
            SendError::ForbiddenCharacter(_) => modelled(
                "InvalidMessageContents",
                "InvalidMessageContents;Sender",
                error.to_string(),
            ),
            SendError::TooLarge { limit, .. } => invalid_parameter_value(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )),
            SendError::InvalidAttribute(..)
            | SendError::TooManyAttributes(_)
            | SendError::DelayTooLong(_) => invalid_parameter_value(error.to_string()),
        }
    }
}

/// Makes an error of the service's model.
fn modelled(shape: &str, query_code: &'static str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        query_code: Some(query_code),
        ..ServiceError::bad_request(format!("com.amazonaws.sqs#{shape}"), message)
    }
}

/// Makes an error that all services share and SQS's model does not list.
fn unmodelled(shape: &str, query_code: &'static str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        query_code: Some(query_code),
        ..ServiceError::bad_request(format!("com.amazon.coral.service#{shape}"), message)
    }
}
