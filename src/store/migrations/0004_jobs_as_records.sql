-- How far a job is, as the JSON that is shown of it; only what is asked for has a column. A job can be cancelled.

create table records (
    id text primary key,
    kind text not null,
    collection text not null,
    state text not null check (state in ('running', 'done', 'failed', 'cancelled')),
    record text not null,
    started_at integer not null
) strict;

insert into records select id, kind, collection, state, json_object(
    'documents', documents, 'added', added, 'changed', changed, 'deleted', deleted, 'unchanged', unchanged,
    'skipped', json(skipped), 'chunks', chunks, 'errors', json(errors), 'error_count', error_count, 'took_ms', took_ms
), started_at from jobs;

drop table jobs;

alter table records rename to jobs;
