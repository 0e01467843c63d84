-- Files of an indexed folder that nothing can read: a JSON object of counts by the ending of their names.

alter table jobs add column skipped text not null default '{}';
