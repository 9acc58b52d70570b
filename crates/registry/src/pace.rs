//! How often a request is sent again, and how long is waited: as the registry asks, within bounds.

use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::http::{StatusCode, header};
use jiff::fmt::rfc2822;
use tokio::time::Instant;

use crate::{
    client::RequestError,
    http::{Answer, SendError},
};

/// How often a request is sent.
const ATTEMPTS: u32 = 5;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a request is sent that a registry has failed at: while somebody pushes a tag, reading it may.
const FAILURES: u32 = 3;
/// The first pause after such a failure.
const FAILURE_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that is granted to a registry.
const LONGEST: Duration = Duration::from_mins(2);
/// How long all requests of a client may wait together.
const TOTAL: Duration = Duration::from_mins(30);

/// Whether a request may be sent again of which nobody knows whether it was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does no more if it is done twice.
    Always,
    /// Only if it was certainly not carried out.
    Refused,
}

/// The pace of one client.
#[derive(Default)]
pub(crate) struct Pace {
    /// Until when the registry wants to be left alone.
    quiet_until: Mutex<Option<Instant>>,
    waited: AtomicU64,
    repeated: AtomicU64,
}

impl Pace {
    /// How many requests were sent again.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// How long was waited because the registry asked for it, or did not answer.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_millis(self.waited.load(Ordering::Relaxed))
    }

    /// Sends, and again where that helps.
    pub(crate) async fn repeated<F: Future<Output = Result<Answer, RequestError>>>(
        &self,
        repeat: Repeat,
        send: impl Fn() -> F,
    ) -> Result<Answer, RequestError> {
        let mut attempt = 1;
        loop {
            self.be_quiet().await;
            let result = send().await;
            let again = again(&result, repeat);
            let pause = match again {
                Again::No => return result,
                Again::Briefly if attempt >= FAILURES => return result,
                Again::Briefly => FAILURE_PAUSE * 2_u32.pow(attempt - 1),
                Again::Soon => PAUSE * 2_u32.pow(attempt - 1),
                Again::After(pause) => pause,
            };
            if attempt == ATTEMPTS {
                return match result {
                    Ok(answer) => Err(RequestError::Busy {
                        status: answer.status.as_u16(),
                        attempts: ATTEMPTS,
                    }),
                    error => error,
                };
            }
            if pause > LONGEST || self.waited() + pause > TOTAL {
                return Err(RequestError::TooSlow(pause));
            }
            attempt += 1;
            self.repeated.fetch_add(1, Ordering::Relaxed);
            let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.waited.fetch_add(millis, Ordering::Relaxed);
            if matches!(again, Again::After(_)) {
                self.ask_for_quiet(Instant::now() + pause);
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn ask_for_quiet(&self, until: Instant) {
        let mut quiet = self
            .quiet_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *quiet = Some(quiet.map_or(until, |before| before.max(until)));
    }

    /// What the registry asked of one request holds for all.
    async fn be_quiet(&self) {
        loop {
            let until = *self
                .quiet_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if Instant::now() < until => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }
}

/// Whether a request is to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    No,
    /// A few times.
    Briefly,
    Soon,
    /// After so long, as the registry asks.
    After(Duration),
}

fn again(result: &Result<Answer, RequestError>, repeat: Repeat) -> Again {
    match result {
        Ok(answer) if answer.status == StatusCode::INTERNAL_SERVER_ERROR => match repeat {
            Repeat::Always => Again::Briefly,
            Repeat::Refused => Again::No,
        },
        Ok(answer) => {
            let helps = match answer.status {
                StatusCode::TOO_MANY_REQUESTS => true,
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => repeat == Repeat::Always,
                _ => false,
            };
            match retry_after(answer) {
                Some(pause) if helps => Again::After(pause),
                None if helps => Again::Soon,
                _ => Again::No,
            }
        }
        Err(RequestError::Send(SendError::Connect(_))) => Again::Soon,
        Err(RequestError::Send(SendError::Broken(_))) if repeat == Repeat::Always => Again::Soon,
        Err(_) => Again::No,
    }
}

/// `Retry-After`: seconds, or a time, which is compared with that of the answer.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header(header::RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let (until, now) = (time(text)?, time(answer.header(header::DATE.as_str())?)?);
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let pairs = headers.iter();
        let headers = pairs.map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn what_is_asked_for_is_understood_in_both_forms() {
        let seconds = |number| Again::After(Duration::from_secs(number));
        let asked = |headers: &[_]| again(&Ok(answer(429, headers)), Repeat::Refused);
        assert_eq!(asked(&[("retry-after", "7")]), seconds(7));
        let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let later = ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT");
        assert_eq!(asked(&[later, date]), seconds(30));
        assert_eq!(asked(&[later]), Again::Soon);
        assert_eq!(asked(&[("retry-after", "soon")]), Again::Soon);
        assert_eq!(asked(&[]), Again::Soon);
    }

    #[test]
    fn what_may_have_been_done_is_not_done_again() {
        for status in [502, 503, 504] {
            assert_eq!(again(&Ok(answer(status, &[])), Repeat::Always), Again::Soon);
            assert_eq!(again(&Ok(answer(status, &[])), Repeat::Refused), Again::No);
        }
        for status in [200, 401, 404, 501] {
            assert_eq!(again(&Ok(answer(status, &[])), Repeat::Always), Again::No);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_tried_again_briefly_and_then_believed() {
        let pace = Pace::default();
        let failing = || async { Ok(answer(500, &[])) };
        let result = pace.repeated(Repeat::Always, failing).await.unwrap();
        assert_eq!((result.status.as_u16(), pace.repeats()), (500, 2));
        let result = pace.repeated(Repeat::Refused, failing).await.unwrap();
        assert_eq!((result.status.as_u16(), pace.repeats()), (500, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_and_pauses_are_bounded() {
        let pace = Pace::default();
        let result = pace.repeated(Repeat::Always, || async { Ok(answer(503, &[])) });
        assert!(matches!(
            result.await,
            Err(RequestError::Busy { attempts: 5, .. })
        ));
        assert_eq!(pace.repeats(), 4);
        assert_eq!(pace.waited(), Duration::from_millis(7500));
        let begin = Instant::now();
        let long = || async { Ok(answer(429, &[("retry-after", "86400")])) };
        let result = pace.repeated(Repeat::Always, long).await;
        assert!(matches!(result, Err(RequestError::TooSlow(_))));
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}
