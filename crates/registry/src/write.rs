//! What changes a registry, one request at a time.

use std::time::Duration;

use ::http::{HeaderValue, Method, StatusCode};
use bytes::Bytes;
use underpin_image::{Digest, Reading, RepositoryPath};

use crate::{
    answers::{codes, is_absent, unexpected},
    client::{Ask, Client, RequestError, write},
    gitea::row_path,
    http::SendError,
    manifests::manifest_path,
};

/// Longest time for a deletion: registries look through all tags of a repository.
const DELETE_TIME: Duration = Duration::from_mins(5);
/// What registries say of a manifest that holds what they do not have.
const MISSING_PARTS: &[&str] = &["BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"];

/// What became of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It is done, or there was nothing.
    Gone,
    /// It was not carried out, and why.
    Refused(String),
    /// It may have been carried out in part.
    Unknown(String),
}

impl Client {
    /// Deletes a manifest by its digest, or a tag where tags can be deleted.
    pub(crate) async fn delete(&self, repository: &RepositoryPath, reference: &str) -> Deleted {
        let path = manifest_path(repository, reference);
        let mut ask = Ask::new(Method::DELETE, path, write(repository));
        ask.time = DELETE_TIME;
        let answer = self.ask(&ask).await;
        let is_gone = answer.as_ref().is_ok_and(is_absent);
        if is_gone {
            Deleted::Gone
        } else {
            outcome(answer)
        }
    }

    /// Deletes a row of the package API: a tag, or a digest, and nothing else.
    pub(crate) async fn delete_row(&self, repository: &RepositoryPath, version: &str) -> Deleted {
        let Some(path) = row_path(repository, version) else {
            let reason = "it has no owner, and so is no package";
            return Deleted::Refused(reason.to_owned());
        };
        let mut ask = Ask::new(Method::DELETE, path, String::new());
        ask.time = DELETE_TIME;
        outcome(self.ask_plainly(&ask).await)
    }

    /// Puts a manifest back, under its digest or a tag.
    pub(crate) async fn put(
        &self,
        repository: &RepositoryPath,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), String> {
        let digest = Digest::of(&bytes);
        let path = manifest_path(repository, reference);
        let mut ask = Ask::new(Method::PUT, path, write(repository));
        ask.content_type = HeaderValue::try_from(media_type).ok();
        ask.body = bytes;
        let answer = self.ask(&ask).await.map_err(|error| error.to_string())?;
        let codes = codes(&answer);
        if codes.iter().any(|code| MISSING_PARTS.contains(&&**code)) {
            let gone = "the registry does not have all that it is made of any more";
            return Err(gone.to_owned());
        }
        if !matches!(answer.status, StatusCode::CREATED | StatusCode::OK) {
            return Err(unexpected(&answer));
        }
        // What the registry says that it took is looked at, not believed.
        match self.resolve(repository, reference).await {
            Reading::Present(found) if found == digest || reference == found.as_str() => Ok(()),
            Reading::Present(found) => Err(format!("it is {found} now")),
            Reading::Absent => Err("the registry took it, and does not have it".to_owned()),
            Reading::Unread(reason) => Err(format!("whether it is there is not known: {reason}")),
        }
    }
}

fn outcome(answer: Result<crate::http::Answer, RequestError>) -> Deleted {
    match answer {
        Ok(answer) => match answer.status.as_u16() {
            200 | 202 | 204 => Deleted::Gone,
            400 | 401 | 403 | 405 | 409 => Deleted::Refused(unexpected(&answer)),
            _ => Deleted::Unknown(unexpected(&answer)),
        },
        Err(
            error @ RequestError::Send(
                SendError::Broken(_) | SendError::TimedOut(_) | SendError::TooLong(_),
            ),
        ) => Deleted::Unknown(error.to_string()),
        Err(error) => Deleted::Refused(error.to_string()),
    }
}
