// Generated from /openapi.json (npm run generate). Do not edit.

export interface paths {
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow all jobs as server-sent events */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List jobs */
        get: operations["listJobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One job with stages, outputs, analysis and the end of its log */
        get: operations["getJob"];
        put?: never;
        post?: never;
        /** Cancel a job, or delete one that is at its end */
        delete: operations["deleteJob"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follow one job as server-sent events */
        get: operations["jobEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The end of a job's log */
        get: operations["getJobLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}/outputs/{path}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A file of the result; path may have slashes, and ranges are served */
        get: operations["getOutput"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a failed job another round of attempts */
        post: operations["retryJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/jobs/{id}/share": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a link that shows the result to whoever has it */
        post: operations["shareJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/process": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submit a job: by address, by uploads, or with its files as a form */
        post: operations["submitJob"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How the queue stands */
        get: operations["getQueue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop the taking of jobs by all workers */
        post: operations["pauseQueue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/queue/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let workers take jobs again */
        post: operations["resumeQueue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who the caller is, and what the server can do */
        get: operations["getSession"];
        put?: never;
        /** Begin a session with a token: the answer sets a cookie */
        post: operations["login"];
        /** End the session */
        delete: operations["logout"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the server runs on */
        get: operations["getSystem"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begin a resumable upload (tus 1.0) */
        post: operations["createUpload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/uploads/presign": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Get an address at the storage that takes one file */
        post: operations["presignUpload"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/uploads/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Give an upload up */
        delete: operations["deleteUpload"];
        options?: never;
        /** How far an upload is */
        head: operations["getUpload"];
        /** Go on with an upload */
        patch: operations["continueUpload"];
        trace?: never;
    };
    "/api/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Workers of the queue */
        get: operations["listWorkers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Backend: {
            /** @description redis, upstash, embedded, supabase, postgres, s3, disk */
            kind: string;
            /** @description queue, records, storage */
            name: string;
        };
        Disk: {
            /**
             * Format: int64
             * @description -1 where it is not known.
             */
            free: number;
            /** @description What it is for. */
            name: string;
        };
        DoneBody: {
            jobId: string;
            /** @description How the job stands now; absent where it is gone. */
            status?: string;
        };
        Engine: {
            /** @description What it would add. */
            adds?: string;
            found: boolean;
            name: string;
            version?: string;
        };
        Error: {
            /** Format: int64 */
            attempt?: number;
            engine?: string;
            /** @description What can be done. */
            hint?: string;
            /** @description The end of the engine's log. */
            log?: string;
            message: string;
            permanent: boolean;
            stage?: string;
        };
        ErrorDetail: {
            /** @description Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
            location?: string;
            /** @description Error message text */
            message?: string;
            /** @description The value at the given location */
            value?: unknown;
        };
        Field: {
            detail: string;
            field: string;
        };
        GPU: {
            driver?: string;
            /** Format: int64 */
            index: number;
            /**
             * Format: int64
             * @description Bytes.
             */
            memoryTotal: number;
            /** Format: int64 */
            memoryUsed: number;
            name: string;
            /** Format: double */
            powerWatts?: number;
            /**
             * Format: double
             * @description Degrees Celsius.
             */
            temperature?: number;
            /**
             * Format: double
             * @description Percent.
             */
            utilization: number;
        };
        Job: {
            /** @description What is known of the source, by subject. Of one job only, not in lists. */
            analysis?: unknown;
            /**
             * Format: int64
             * @description Attempts that have ended.
             */
            attemptsMade: number;
            /** Format: date-time */
            completedAt?: string;
            /**
             * Format: double
             * @description What its time on the machine costs so far, in the currency of SLATE360_PRICE_HOUR; absent where no price is known.
             */
            cost?: number;
            /** Format: double */
            creditsUsed?: number;
            currentStep?: string;
            error?: components["schemas"]["Error"];
            jobId: string;
            /** @description Pipeline: pointcloud, mesh, photogrammetry; absent until the source is known. */
            kind?: string;
            /** @description The last lines of the log. Of one job only, not in lists. */
            log?: string[];
            /** Format: int64 */
            maxAttempts?: number;
            /** @description Name of the source, for people. */
            name: string;
            /** @description The options as they were given. Of one job only, not in lists. */
            options?: unknown;
            organisation?: string;
            outputs: components["schemas"]["Output"][];
            /** @enum {string} */
            priority: "low" | "normal" | "high" | "urgent";
            /** Format: double */
            progress: number;
            /** Format: date-time */
            queuedAt?: string;
            /**
             * Format: double
             * @description What the current step does a second: bytes where it fetches or publishes, else what the stage counts.
             */
            rate?: number;
            /**
             * Format: double
             * @description About how long it still takes; absent where unknown.
             */
            remainingSeconds?: number;
            /** Format: int64 */
            sourceFiles?: number;
            sourceFormat: string;
            /**
             * Format: int64
             * @description Bytes.
             */
            sourceSize?: number;
            /** @description Where the source came from, without signatures; absent for uploads. */
            sourceUrl?: string;
            /** @description In the order in which they run. In lists and events, of jobs that run only. */
            stages: components["schemas"]["Stage"][];
            /** Format: date-time */
            startedAt?: string;
            /** @enum {string} */
            status: "queued" | "analyzing" | "processing" | "optimizing" | "generating_tiles" | "uploading" | "completed" | "failed" | "cancelled";
            thumbnailUrl?: string;
            warnings: string[];
            workerId?: string;
        };
        ListOutBody: {
            jobs: components["schemas"]["Job"][];
            /** @description Where the next page begins; absent on the last. */
            nextCursor?: string;
            /**
             * Format: int64
             * @description How many jobs match, on all pages.
             */
            total: number;
        };
        LogLine: {
            jobId: string;
            line: string;
        };
        LogOutBody: {
            lines: string[];
        };
        LoginInBody: {
            /** @description GPU_WORKER_SECRET_KEY, or a token of an organisation. */
            token: string;
        };
        Memory: {
            /**
             * Format: int64
             * @description What jobs may use.
             */
            budget: number;
            /** Format: int64 */
            peak: number;
            /**
             * Format: int64
             * @description What this process uses.
             */
            resident: number;
            /**
             * Format: int64
             * @description What this process may use.
             */
            total: number;
        };
        Output: {
            contentType?: string;
            /** Format: int64 */
            files?: number;
            /** Format: int64 */
            height?: number;
            /** @description Relative to the result. */
            path: string;
            /** Format: int64 */
            points?: number;
            /** @description Of the file at path. */
            sha256?: string;
            /**
             * Format: int64
             * @description Bytes; of a folder, those of all its files.
             */
            size: number;
            /** @description Where the storage gives it, where that is a web address. */
            storageUrl?: string;
            /** Format: int64 */
            tiles?: number;
            /** Format: int64 */
            triangles?: number;
            /** @description glb_draco, lod_0…, glb_preview, laz, copc, ept, tiles_3d, thumbnail, dsm, dtm, orthophoto, obj, point_cloud, report */
            type: string;
            /** @description Where this server gives it. */
            url: string;
            /** Format: int64 */
            vertices?: number;
            /** Format: int64 */
            width?: number;
        };
        PresignInBody: {
            contentType?: string;
            filename: string;
            /**
             * Format: int64
             * @description Bytes; exactly so many are taken.
             */
            size: number;
        };
        PresignedBody: {
            /** Format: date-time */
            expiresAt: string;
            /** @description What the PUT must carry. */
            headers: {
                [key: string]: string;
            };
            key: string;
            /** @description What the job is submitted with afterwards. */
            sourceUrl: string;
            /** @description Takes one PUT of the file. */
            url: string;
        };
        Problem: {
            /** @description What went wrong this time. */
            detail?: string;
            /** @description All fields at fault, where there are several. */
            errors?: components["schemas"]["Field"][];
            /** @description The field, parameter or header at fault, such as options.quality. */
            field?: string;
            /** @description What can be done. */
            hint?: string;
            /** @description Where it went wrong. */
            instance?: string;
            /**
             * Format: int64
             * @description The HTTP status.
             */
            status: number;
            /** @description The kind of problem, for people. */
            title: string;
            /** @description URI of the kind of problem; about:blank where the status says all. */
            type: string;
        };
        Progress: {
            currentStep?: string;
            jobId: string;
            /** Format: double */
            progress: number;
            /** Format: double */
            rate?: number;
            /** Format: double */
            remainingSeconds?: number;
            /** @description Those that run. */
            stages?: components["schemas"]["Stage"][];
            status?: string;
        };
        QueueState: {
            /** @description Jobs by their state in the queue. */
            counts: {
                [key: string]: number;
            };
            /**
             * Format: double
             * @description How long the oldest of the jobs that come next has waited.
             */
            oldestSeconds: number;
            /** @description Whether the taking of jobs is stopped. */
            paused: boolean;
        };
        Result: {
            analysis?: {
                [key: string]: unknown;
            };
            error?: string;
            jobId: string;
            kind?: string;
            name: string;
            outputs: components["schemas"]["Output"][];
            sourceFormat?: string;
            stages: components["schemas"]["Stage"][];
            status: string;
            thumbnailUrl?: string;
            warnings: string[];
        };
        SessionInfo: {
            /** @description Whether the caller is known. */
            authenticated: boolean;
            /** @description What this server can do. */
            features: {
                [key: string]: boolean;
            };
            /**
             * Format: int64
             * @description Most bytes of one upload.
             */
            maxUpload: number;
            name?: string;
            organisation?: string;
            /** @description Whether the API demands it. */
            required: boolean;
            /** @enum {string} */
            role?: "viewer" | "member" | "admin";
            version: string;
        };
        ShareInBody: {
            /**
             * Format: int64
             * @description How long the link holds, in seconds.
             * @default 604800
             */
            expiresIn: number;
        };
        ShareOutBody: {
            /** Format: date-time */
            expiresAt: string;
            /** @description Path of the page at this server. */
            url: string;
        };
        Stage: {
            engine?: string;
            /** @description Name, as in the option engines. */
            name: string;
            /**
             * Format: int64
             * @description Highest resident memory while it ran.
             */
            peakBytes?: number;
            /**
             * Format: double
             * @description Percent.
             */
            progress: number;
            /**
             * Format: double
             * @description Wall time in seconds.
             */
            seconds?: number;
            /** @enum {string} */
            state: "pending" | "running" | "done" | "resumed" | "off";
            /** @description Name for people. */
            title?: string;
        };
        Submission: {
            /** @description ID of the job; absent takes a new one. */
            jobId?: string;
            /** @description What is wanted: formats, quality, filters, crs, engines, priority and more. */
            options?: unknown;
            /**
             * @description Comes before options.priority.
             * @enum {string}
             */
            priority?: "low" | "normal" | "high" | "urgent";
            /** @description Format of the source, such as laz; absent or auto tells it by its content. */
            sourceFormat?: string;
            /** @description https://, http:// or s3:// address of the source. */
            sourceUrl?: string;
            /** @description Addresses, where the source has several files. */
            sourceUrls?: string[];
            /** @description IDs of finished uploads that are the source, in place of addresses. */
            uploads?: string[];
        };
        Submitted: {
            job: components["schemas"]["Job"];
            jobId: string;
            /** @description Options that are not known. */
            warnings: string[];
        };
        System: {
            disk: components["schemas"]["Disk"][];
            /** @description External programs that stages can use. */
            engines: components["schemas"]["Engine"][];
            /** Format: int64 */
            eventClients: number;
            go: string;
            gpus: components["schemas"]["GPU"][];
            /**
             * Format: double
             * @description Share of the processors that were busy of late, 0 to 1.
             */
            load?: number;
            memory: components["schemas"]["Memory"];
            os: string;
            /** Format: int64 */
            processors: number;
            /** Format: int64 */
            runningJobs: number;
            services: components["schemas"]["Backend"][];
            /** Format: date-time */
            started: string;
            version: string;
        };
        WorkerInfo: {
            /**
             * Format: int64
             * @description How many jobs it has; -1 where it is not known.
             */
            active: number;
            address?: string;
            /** Format: int64 */
            concurrency?: number;
            jobs: string[];
            /** @description Whether it is in this process. */
            local: boolean;
            name: string;
            /** Format: date-time */
            since?: string;
            taking: boolean;
        };
        WorkersOutBody: {
            workers: components["schemas"]["WorkerInfo"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    events: {
        parameters: {
            query?: never;
            header?: {
                /** @description Goes on after this event. */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, without end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listJobs: {
        parameters: {
            query?: {
                /** @description Statuses, separated by commas; active is all between queued and the end. */
                status?: ("queued" | "analyzing" | "processing" | "optimizing" | "generating_tiles" | "uploading" | "completed" | "failed" | "cancelled" | "active")[] | null;
                /** @description Only jobs of this pipeline. */
                kind?: "pointcloud" | "mesh" | "photogrammetry";
                /** @description Text that the source's address or the error contains, or the ID. */
                q?: string;
                sort?: "newest" | "oldest";
                limit?: number;
                /** @description nextCursor of the page before. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListOutBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteJob: {
        parameters: {
            query?: {
                /** @description Delete a job that is at its end, with its outputs and its record, in place of canceling it. */
                purge?: boolean;
            };
            header?: never;
            path: {
                /** @description The job. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    jobEvents: {
        parameters: {
            query?: never;
            header?: {
                /** @description Goes on after this event. */
                "Last-Event-ID"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, without end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getJobLog: {
        parameters: {
            query?: {
                /** @description How many of the last lines. */
                tail?: number;
            };
            header?: never;
            path: {
                /** @description The job. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogOutBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getOutput: {
        parameters: {
            query?: never;
            header?: {
                Range?: string;
            };
            path: {
                id: string;
                path: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description A part of it. */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": unknown;
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    shareJob: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The job. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ShareInBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ShareOutBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    submitJob: {
        parameters: {
            query?: never;
            header?: {
                /** @description A second request with the same key gets the job of the first. */
                "Idempotency-Key"?: string;
                /** @description W3C trace context that the job goes on with. */
                traceparent?: string;
                tracestate?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Submission"];
                "multipart/form-data": {
                    /** @description The files; several are a folder. The name of each may be its path in the folder. They come after the other fields. */
                    file: string[];
                    /** @description As in JSON. */
                    jobId?: string;
                    /** @description As in JSON: an object. */
                    options?: string;
                    /** @description As in JSON. */
                    priority?: string;
                    /** @description As in JSON. */
                    sourceFormat?: string;
                };
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Submitted"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getQueue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueueState"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseQueue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueueState"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeQueue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueueState"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginInBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionInfo"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSystem: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["System"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createUpload: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
                /** @description Bytes of the file. */
                "Upload-Length": number;
                /** @description filename, relativePath, filetype, batch: each with its value in Base64, separated by commas. */
                "Upload-Metadata"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Location is the upload. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    presignUpload: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PresignInBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PresignedBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteUpload: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getUpload: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Upload-Offset is how many bytes are there. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description There is no such upload, or not for the caller. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    continueUpload: {
        parameters: {
            query?: never;
            header: {
                "Tus-Resumable": "1.0.0";
                /** @description Bytes that are there. */
                "Upload-Offset": number;
                /** @description Algorithm and digest in Base64 of the chunk: sha1, sha256, md5 or crc32. */
                "Upload-Checksum"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/offset+octet-stream": string;
            };
        };
        responses: {
            /** @description Upload-Offset is how many bytes are there now. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listWorkers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkersOutBody"];
                };
            };
            /** @description What went wrong (RFC 9457). */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
