//! Time zones by their names, from the database that is compiled in.

use std::{cell::RefCell, collections::HashMap};

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::super::{Fault, Result, beginning, refused};

thread_local! {
    /// Zones that a policy named. There are no more than the database has.
    static KEPT: RefCell<HashMap<Box<str>, TimeZone>> = RefCell::default();
}

/// Where a time is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    Named(TimeZone),
}

impl Zone {
    /// The zone of a name. Names are those of the database, to the letter.
    pub(super) fn find(name: &str) -> Result<Self> {
        match name {
            "" | "UTC" => return Ok(Self::Utc),
            "Local" => {
                return Err(refused("time", "the local zone is that of a machine"));
            }
            _ => {}
        }
        if name.contains("..") || name.starts_with(['/', '\\']) {
            return Err(Fault::Value("time: invalid location name".to_owned()));
        }
        KEPT.with_borrow_mut(|kept| {
            if let Some(zone) = kept.get(name) {
                return Ok(Self::Named(zone.clone()));
            }
            let found = TimeZoneDatabase::bundled().get(name).ok();
            let zone = found
                .filter(|zone| zone.iana_name() == Some(name))
                .ok_or_else(|| Fault::Value(format!("unknown time zone {}", beginning(name))))?;
            kept.insert(name.into(), zone.clone());
            Ok(Self::Named(zone))
        })
    }

    /// Seconds east of UTC at a time, and what the zone is called then.
    pub(super) fn at(&self, unix: i64) -> (i64, String) {
        let Self::Named(zone) = self else {
            return (0, "UTC".to_owned());
        };
        let info = zone.to_offset_info(timestamp(unix));
        let offset = i64::from(info.offset().seconds());
        (offset, info.abbreviation().to_owned())
    }

    /// The time at which clocks of this zone show what those of UTC show at another; as Go has it
    /// where clocks skip such a time, or show it twice.
    pub(super) fn clock_to_unix(&self, shown: i64) -> i64 {
        let Self::Named(zone) = self else {
            return shown;
        };
        let offset = |unix: i64| i64::from(zone.to_offset(timestamp(unix)).seconds());
        match offset(shown) {
            0 => shown,
            first => shown.wrapping_sub(offset(shown.wrapping_sub(first))),
        }
    }
}

/// A time, or the nearest to it within ten thousand years.
fn timestamp(unix: i64) -> Timestamp {
    let least = Timestamp::MIN.as_second();
    let most = Timestamp::MAX.as_second();
    Timestamp::from_second(unix.clamp(least, most)).unwrap_or(Timestamp::UNIX_EPOCH)
}
