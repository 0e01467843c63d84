-- How requests with an `Idempotency-Key` were answered, for when they are sent again.

create table replays (
    owner text not null,
    key text not null,
    print text not null,
    status integer not null,
    body text not null,
    kept_at integer not null,
    primary key (owner, key)
) strict;

create index replays_by_age on replays (kept_at);
