-- Table of slate360-worker's records: makes it in an empty database, brings an
-- older one up to date. It can be run again. For PostgreSQL 13 or newer, and
-- Supabase.
BEGIN;

CREATE TABLE IF NOT EXISTS model_processing_jobs (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid()
);

ALTER TABLE model_processing_jobs
  ADD COLUMN IF NOT EXISTS project_id UUID,
  ADD COLUMN IF NOT EXISTS org_id UUID,
  ADD COLUMN IF NOT EXISTS user_id UUID,
  ADD COLUMN IF NOT EXISTS source_url TEXT,
  ADD COLUMN IF NOT EXISTS source_format TEXT,
  ADD COLUMN IF NOT EXISTS source_size BIGINT,
  ADD COLUMN IF NOT EXISTS source_file_count INTEGER,
  ADD COLUMN IF NOT EXISTS status TEXT NOT NULL DEFAULT 'queued',
  ADD COLUMN IF NOT EXISTS progress INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS current_step TEXT,
  ADD COLUMN IF NOT EXISTS options JSONB NOT NULL DEFAULT '{}'::jsonb,
  ADD COLUMN IF NOT EXISTS analysis JSONB,
  ADD COLUMN IF NOT EXISTS outputs JSONB NOT NULL DEFAULT '[]'::jsonb,
  ADD COLUMN IF NOT EXISTS thumbnail_url TEXT,
  ADD COLUMN IF NOT EXISTS error_message TEXT,
  ADD COLUMN IF NOT EXISTS error_details JSONB,
  ADD COLUMN IF NOT EXISTS queued_at TIMESTAMPTZ DEFAULT now(),
  ADD COLUMN IF NOT EXISTS started_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS completed_at TIMESTAMPTZ,
  ADD COLUMN IF NOT EXISTS worker_id TEXT,
  ADD COLUMN IF NOT EXISTS credits_used NUMERIC NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  ADD COLUMN IF NOT EXISTS updated_at TIMESTAMPTZ NOT NULL DEFAULT now();

-- The statuses that this version writes; an older check may know fewer.
ALTER TABLE model_processing_jobs DROP CONSTRAINT IF EXISTS model_processing_jobs_status_check;
ALTER TABLE model_processing_jobs ADD CONSTRAINT model_processing_jobs_status_check CHECK (status IN
  ('queued', 'analyzing', 'processing', 'optimizing', 'generating_tiles', 'uploading', 'completed', 'failed'));
ALTER TABLE model_processing_jobs DROP CONSTRAINT IF EXISTS model_processing_jobs_progress_check;
ALTER TABLE model_processing_jobs ADD CONSTRAINT model_processing_jobs_progress_check CHECK (progress BETWEEN 0 AND 100);

CREATE INDEX IF NOT EXISTS model_processing_jobs_status_idx ON model_processing_jobs (status);
CREATE INDEX IF NOT EXISTS model_processing_jobs_created_idx ON model_processing_jobs (created_at DESC);
CREATE INDEX IF NOT EXISTS model_processing_jobs_org_idx ON model_processing_jobs (org_id, created_at DESC);
CREATE INDEX IF NOT EXISTS model_processing_jobs_user_idx ON model_processing_jobs (user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS model_processing_jobs_project_idx ON model_processing_jobs (project_id, created_at DESC);

CREATE OR REPLACE FUNCTION model_processing_jobs_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at = now();
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS model_processing_jobs_touch ON model_processing_jobs;
CREATE TRIGGER model_processing_jobs_touch BEFORE UPDATE ON model_processing_jobs
  FOR EACH ROW EXECUTE FUNCTION model_processing_jobs_touch();

-- Row-level security where the roles and functions of Supabase are: users see
-- their own jobs, the service role (the worker) all. On a plain PostgreSQL the
-- owner of the table does the work.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'authenticated')
     AND EXISTS (SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'auth' AND p.proname = 'uid') THEN
    ALTER TABLE model_processing_jobs ENABLE ROW LEVEL SECURITY;
    DROP POLICY IF EXISTS model_processing_jobs_own ON model_processing_jobs;
    CREATE POLICY model_processing_jobs_own ON model_processing_jobs FOR SELECT TO authenticated USING (user_id = auth.uid());
    GRANT SELECT ON model_processing_jobs TO authenticated;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'service_role') THEN
      DROP POLICY IF EXISTS model_processing_jobs_service ON model_processing_jobs;
      CREATE POLICY model_processing_jobs_service ON model_processing_jobs FOR ALL TO service_role USING (true) WITH CHECK (true);
      GRANT ALL ON model_processing_jobs TO service_role;
    END IF;
  END IF;
END $$;

COMMIT;
