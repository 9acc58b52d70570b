//! Collects why an object is not ready: its pods, the events about them, the end of a log.

use std::collections::BTreeSet;

use underpin_cluster::LogRequest;
use underpin_model::{Mask, Object, ObjectKey, World};
use underpin_readiness::{
    State,
    diagnosis::{Diagnosis, Family, LOG_BYTES, LOG_LINES, Log, Texts, diagnose},
};

use super::{look::Timed, neighbours::Neighbourhood, secrets};
use crate::{StopReason, kinds::Kinds};

/// Reads evidence for one failure after the other.
pub(super) struct Evidence<'a> {
    pub(super) timed: Timed<'a>,
    pub(super) kinds: &'a Kinds,
    pub(super) world: &'a World,
    /// Values that must not be shown, whoever wrote them.
    pub(super) secrets: &'a [String],
}

/// Why the logs of a pod are not shown: its Secrets could not be read.
fn withheld(why: &str) -> String {
    format!(
        "logs, which are shown only if the values of the pod's Secrets can be hidden in them: {why}"
    )
}

impl Evidence<'_> {
    /// Why an object is not ready, `live` being what was last seen of it.
    pub(super) async fn of(
        &self,
        key: &ObjectKey,
        live: Option<&Object>,
        state: &State,
        neighbourhood: &mut Neighbourhood<'_>,
    ) -> Result<Diagnosis, StopReason> {
        let (Some(live), Some(namespace)) = (live, &key.namespace) else {
            return Ok(self.without_pods(state));
        };
        let neighbours = neighbourhood.of(namespace).await?;
        let family = Family::of(live, &neighbours.replica_sets, &neighbours.pods);
        let mut unread = neighbours.unread.clone();
        let known = match family.pods.first() {
            Some(pod) => secrets::of_pod(self.timed, self.kinds, self.world, pod).await?,
            None => Ok(Vec::new()),
        };
        let (texts, mask) = match known {
            Ok(values) => (Texts::Shown, secrets::mask(self.secrets, values)),
            Err(why) => {
                unread.push(withheld(&why));
                (Texts::Withheld, secrets::mask(self.secrets, Vec::new()))
            }
        };
        let events = self.events(namespace, live, &family, &mut unread).await?;
        let mut diagnosis = diagnose(state, &family, &events, texts);
        if texts == Texts::Shown {
            let log = self.log(namespace, &diagnosis, &mask, &mut unread).await?;
            diagnosis.log = log;
        }
        diagnosis.unread = unread;
        if diagnosis.help.is_none() && diagnosis.log.is_none() {
            diagnosis.help = where_to_look(key, &diagnosis);
        }
        Ok(diagnosis.masked(&mask))
    }

    fn without_pods(&self, state: &State) -> Diagnosis {
        let mask = secrets::mask(self.secrets, Vec::new());
        diagnose(state, &Family::default(), &[], Texts::Shown).masked(&mask)
    }

    /// The events about the object, its newest ReplicaSet and the pod that is worst off.
    async fn events(
        &self,
        namespace: &str,
        live: &Object,
        family: &Family<'_>,
        unread: &mut Vec<String>,
    ) -> Result<Vec<Object>, StopReason> {
        let about = [Some(live), family.replica_set, family.worst()];
        let uids: BTreeSet<&str> = about.iter().flatten().filter_map(|one| one.uid()).collect();
        let mut events = Vec::new();
        for uid in uids {
            match (self.timed)()?.events_about(namespace, uid).await {
                Ok(found) => events.extend(found),
                Err(error) => {
                    unread.push(format!("events: {error}"));
                    break;
                }
            }
        }
        Ok(events)
    }

    async fn log(
        &self,
        namespace: &str,
        diagnosis: &Diagnosis,
        mask: &Mask,
        unread: &mut Vec<String>,
    ) -> Result<Option<Log>, StopReason> {
        let Some((pod, culprit)) = diagnosis.culprit() else {
            return Ok(None);
        };
        let request = LogRequest {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: culprit.container.clone(),
            previous: culprit.previous,
            lines: LOG_LINES,
            bytes: LOG_BYTES,
        };
        match (self.timed)()?.log(&request).await {
            Ok(text) => {
                let lines = Log::excerpt(&text, mask);
                let log = Log {
                    pod: request.pod,
                    container: request.container,
                    previous: request.previous,
                    lines,
                };
                Ok(Some(log).filter(|log| !log.lines.is_empty()))
            }
            Err(error) => {
                unread.push(format!("logs: {error}"));
                Ok(None)
            }
        }
    }
}

/// The command that shows what could not be shown here.
fn where_to_look(key: &ObjectKey, diagnosis: &Diagnosis) -> Option<String> {
    let namespace = key.namespace.as_deref()?;
    Some(if let Some((pod, culprit)) = diagnosis.culprit() {
        let previous = if culprit.previous { " --previous" } else { "" };
        let container = &culprit.container;
        format!("read the log: `kubectl logs -n {namespace} {pod} -c {container}{previous}`")
    } else {
        let (kind, name) = (&key.kind, &key.name);
        format!("`kubectl describe -n {namespace} {kind}/{name}` may tell more")
    })
}
