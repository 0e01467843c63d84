-- What each answer was made of, for a while. Words of documents stand only with the passages, a row each, so that they are
-- found when a document is erased. And what readers thought of answers.

create table traces (
    run text primary key,
    conversation text not null references conversations (id) on delete cascade,
    message text not null,
    record text not null,
    kept_at integer not null
) strict;

create index traces_by_age on traces (kept_at);
create index traces_by_conversation on traces (conversation);
create index traces_by_message on traces (message);

create table trace_passages (
    run text not null references traces (run) on delete cascade,
    ordinal integer not null,
    collection text not null,
    document text not null,
    passage text not null,
    primary key (run, ordinal)
) strict;

create index trace_passages_by_document on trace_passages (document, collection);

create table feedback (
    message text primary key references messages (id) on delete cascade,
    rating text not null check (rating in ('up', 'down')),
    comment text,
    given_at integer not null
) strict;
