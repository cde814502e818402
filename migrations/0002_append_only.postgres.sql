-- Append-only on PostgreSQL: what is written stays as it is, and a term's row only grows.

CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;

CREATE FUNCTION journal_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows', TG_TABLE_NAME;
END
$$;

CREATE TRIGGER change_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON change
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();

CREATE TRIGGER record_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON record
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();

CREATE TRIGGER terms_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terms
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only();

CREATE TRIGGER term_refuses_delete BEFORE DELETE OR TRUNCATE ON term
    FOR EACH STATEMENT EXECUTE FUNCTION journal_only_grows();

CREATE TRIGGER term_only_grows BEFORE UPDATE ON term
    FOR EACH ROW
    WHEN (NEW.cluster <> OLD.cluster OR NEW.epoch < OLD.epoch OR NEW.head < OLD.head OR NEW.record_head < OLD.record_head)
    EXECUTE FUNCTION journal_only_grows();
