using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;
using TorBalancer.Admin.Reload;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Admin;

/// <summary>The paths that change what the daemon goes by: reload, and workers that come, change and go.</summary>
internal sealed class AdminReloadRoutes(ConfigurationReloader reloader, WorkerCommands workers, WorkerViews views)
{
    /// <summary>Bytes; a worker has some hundred.</summary>
    private const int MaxBody = 16 * 1024;

    private static readonly int[] Refusals =
    [
        StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound, StatusCodes.Status409Conflict,
        StatusCodes.Status422UnprocessableEntity, StatusCodes.Status503ServiceUnavailable,
    ];

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/api/v1/reload", ["POST"], ReloadAsync).WithMetadata(
            new AdminOperation("reload", "Reads the configuration again and puts it into force, whole or not at all")
            {
                Answer = typeof(ReloadView),
                Problems = [StatusCodes.Status422UnprocessableEntity, StatusCodes.Status503ServiceUnavailable],
            });
        routes.MapMethods("/api/v1/workers", ["POST"], AddAsync).WithMetadata(
            new AdminOperation("addWorker", "A worker more, until the next reload unless it is saved")
            {
                Answer = typeof(WorkerView),
                AnswerStatus = StatusCodes.Status201Created,
                BodySchema = """
                    {"type": "object", "required": ["id"], "properties": {
                      "id": {"type": "string"}, "save": {"type": "boolean"}},
                      "additionalProperties": {"type": ["string", "number", "boolean", "array"], "description": "A key of [Worker:name]"}}
                    """,
                Problems = Refusals,
            });
        routes.MapMethods("/api/v1/workers/{id}", ["DELETE"], RemoveAsync).WithMetadata(
            new AdminOperation("removeWorker", "Drains a worker, which goes when its last connection has finished")
            {
                Answer = typeof(WorkerView),
                Parameters = [new AdminParameter("save", "Whether the file that a save wrote goes too", Allowed: ["true", "false"])],
                Problems = Refusals,
            });
        routes.MapMethods("/api/v1/workers/{id}", ["PATCH"], ChangeAsync).WithMetadata(
            new AdminOperation("changeWorker", "Another weight")
            {
                Answer = typeof(WorkerView),
                BodySchema = """
                    {"type": "object", "required": ["weight"], "additionalProperties": false, "properties": {
                      "weight": {"type": "integer", "minimum": 1, "maximum": 100}, "save": {"type": "boolean"}}}
                    """,
                Problems = Refusals,
            });
    }

    private async Task ReloadAsync(HttpContext context)
    {
        if (await HasWrongTypeAsync(context))
            return;
        var outcome = await reloader.ReloadAsync("the admin API");
        if (outcome.IsStopping)
            await AdminRoutes.StoppingAsync(context);
        else if (!outcome.IsDone)
            await context.WriteInvalidAsync("the configuration is as it was: the one that was read is not valid", outcome.Errors);
        else
            await context.WriteJsonAsync(ReloadView.Of(outcome), AdminJson.Instance.ReloadView);
    }

    private async Task AddAsync(HttpContext context)
    {
        if (await ReadAsync(context, needsId: true) is not { } request)
            return;
        var outcome = await workers.AddAsync(request.Id!, request.Keys, request.Save);
        if (outcome.Worker is { } worker)
        {
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.Headers.Location = $"/api/v1/workers/{worker.Id}";
        }

        await AnswerAsync(context, outcome);
    }

    private async Task ChangeAsync(HttpContext context)
    {
        if (await ReadAsync(context, needsId: false) is not { } request)
            return;
        string id = (string)context.Request.RouteValues["id"]!;
        if (request.Keys is not [{ Key: "Weight", Value: var weight }])
        {
            var other = request.Keys.FirstOrDefault(static key => key.Key != "Weight");
            await context.WriteProblemAsync(
                StatusCodes.Status400BadRequest,
                other.Key is null
                    ? "weight is required: a whole number from 1 to 100"
                    : $"only the weight of a worker can be changed while it runs, not {other.Key}; change it in the file and reload",
                other.Key ?? "weight");
            return;
        }

        await AnswerAsync(context, await workers.SetWeightAsync(id, weight, request.Save));
    }

    private async Task RemoveAsync(HttpContext context)
    {
        if (await HasWrongTypeAsync(context))
            return;
        string? save = context.Request.Query["save"];
        if (save is not (null or "true" or "false"))
        {
            await context.WriteProblemAsync(
                StatusCodes.Status400BadRequest, $"save is 'true' or 'false', not '{save}'", "save", ["true", "false"]);
            return;
        }

        await AnswerAsync(context, await workers.RemoveAsync((string)context.Request.RouteValues["id"]!, save == "true"));
    }

    private Task AnswerAsync(HttpContext context, WorkerOutcome outcome) => outcome.Refusal switch
    {
        WorkerRefusal.None => context.WriteJsonAsync(views.Of(outcome.Worker!), AdminJson.Instance.WorkerView),
        WorkerRefusal.Unknown => context.WriteProblemAsync(StatusCodes.Status404NotFound, outcome.Detail),
        WorkerRefusal.Conflict => context.WriteProblemAsync(StatusCodes.Status409Conflict, outcome.Detail),
        WorkerRefusal.Stopping => context.WriteProblemAsync(StatusCodes.Status503ServiceUnavailable, outcome.Detail),
        _ => context.WriteInvalidAsync(outcome.Detail, outcome.Errors),
    };

    private static async Task<bool> HasWrongTypeAsync(HttpContext context)
    {
        bool isWrong = AdminRoutes.HasBody(context) && !AdminRoutes.IsJson(context.Request);
        if (isWrong)
            await AdminRoutes.WrongTypeAsync(context);
        return isWrong;
    }

    /// <summary>Null after an answer that says what is wrong with the body.</summary>
    private static async Task<WorkerRequest?> ReadAsync(HttpContext context, bool needsId)
    {
        if (await HasWrongTypeAsync(context))
            return null;
        FieldProblem? problem;
        try
        {
            var bytes = new byte[MaxBody + 1];
            int length = await context.Request.Body.ReadAtLeastAsync(
                bytes, bytes.Length, throwOnEndOfStream: false, context.RequestAborted);
            if (length > MaxBody)
            {
                await context.WriteProblemAsync(StatusCodes.Status413PayloadTooLarge, "the body is larger than 16 KiB");
                return null;
            }

            using var body = JsonDocument.Parse(bytes.AsMemory(0, length), Strict);
            if (WorkerRequest.Read(body.RootElement, needsId, out problem) is { } request)
                return request;
        }
        catch (JsonException failure)
        {
            problem = new FieldProblem(null, $"the body is not JSON as it must be: {failure.Message}");
        }
        catch (InvalidOperationException)
        {
            // JsonElement.GetString, at bytes or escapes that are no text.
            problem = new FieldProblem(null, "the body is not valid UTF-8");
        }

        await context.WriteProblemAsync(StatusCodes.Status400BadRequest, problem!.Detail, problem.Field, problem.Allowed);
        return null;
    }
}
