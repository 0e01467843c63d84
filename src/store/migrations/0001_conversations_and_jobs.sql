-- Conversations with their messages, sources and citations, and the indexing jobs.
-- Times are milliseconds since 1970 in UTC. Ranges are UTF-8 byte offsets, end exclusive.

create table conversations (
    id text primary key,
    owner text not null,
    title text not null,
    created_at integer not null,
    updated_at integer not null
) strict;

create index conversations_by_owner on conversations (owner, updated_at);

create table messages (
    id text primary key,
    conversation text not null references conversations (id) on delete cascade,
    position integer not null,
    role text not null check (role in ('user', 'assistant')),
    text text not null,
    state text not null check (state in ('complete', 'incomplete')),
    run text,
    route text,
    outcome text check (outcome in ('answered', 'partial', 'declined')),
    usage text,
    problem text,
    created_at integer not null,
    unique (conversation, position)
) strict;

-- One row for each numbered passage, so that a document's passages are found when it is erased.
create table sources (
    message text not null references messages (id) on delete cascade,
    ordinal integer not null,
    document text,
    passage text not null,
    primary key (message, ordinal)
) strict;

create index sources_by_document on sources (document);

create table citations (
    message text not null references messages (id) on delete cascade,
    ordinal integer not null,
    number integer not null,
    answer_start integer not null,
    answer_end integer not null,
    document text not null,
    version text not null,
    source_start integer,
    source_end integer,
    quote text,
    checked integer not null,
    removed integer not null default 0,
    primary key (message, ordinal)
) strict;

create index citations_by_document on citations (document);

create table jobs (
    id text primary key,
    kind text not null,
    collection text not null,
    state text not null check (state in ('running', 'done', 'failed')),
    documents integer not null default 0,
    added integer not null default 0,
    changed integer not null default 0,
    deleted integer not null default 0,
    unchanged integer not null default 0,
    chunks integer not null default 0,
    errors text not null default '[]',
    error_count integer not null default 0,
    took_ms integer not null default 0,
    started_at integer not null
) strict;
