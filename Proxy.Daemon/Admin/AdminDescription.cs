using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.WebUtilities;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// GET /api/v1/openapi.json: the API as OpenAPI 3.1 says it. Made from the routes themselves and from the types of their answers, so that
/// it can leave out neither a path nor a member.
/// </summary>
internal sealed class AdminDescription(Func<IEnumerable<RouteEndpoint>> all)
{
    private static readonly string[] Read = ["GET", "HEAD"];

    /// <summary>Of explain: null says that chance decides.</summary>
    private const string AlwaysThere = "chosen";

    private static readonly JsonSchemaExporterOptions Export = new()
    {
        TreatNullObliviousAsNonNullable = true,
        TransformSchemaNode = Loosen,
    };

    private byte[]? _document;

    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods("/api/v1/openapi.json", Read, WriteAsync).WithMetadata(
        new AdminOperation("getOpenApi", "This description") { AnswerSchema = """{"type": "object"}""" });

    private Task WriteAsync(HttpContext context)
    {
        // Two at once may both make it, and both are equal.
        byte[] document = _document ??= Document();
        context.Response.ContentType = AdminAnswers.JsonType;
        context.Response.ContentLength = document.Length;
        return HttpMethods.IsHead(context.Request.Method)
            ? Task.CompletedTask : context.Response.Body.WriteAsync(document, context.RequestAborted).AsTask();
    }

    private byte[] Document()
    {
        var schemas = new JsonObject { [NameOf(AdminJson.Instance.ProblemView)] = Schema(AdminJson.Instance.ProblemView) };
        var paths = new JsonObject();
        foreach (var endpoint in all().OrderBy(static endpoint => endpoint.RoutePattern.RawText, StringComparer.Ordinal))
        {
            if (endpoint.Metadata.GetMetadata<AdminOperation>() is not { } operation
                || endpoint.Metadata.GetMetadata<HttpMethodMetadata>() is not { } methods)
                continue;
            string path = endpoint.RoutePattern.RawText!;
            if (paths[path] is not JsonObject item)
                paths[path] = item = [];
            item[methods.HttpMethods[0].ToLowerInvariant()] = Operation(operation, endpoint, schemas);
        }

        var document = new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "TorBalancer's admin API",
                ["version"] = "1",
                ["description"] = "Members that are null are left out. New members and words may appear.",
            },
            ["security"] = new JsonArray(new JsonObject(), new JsonObject { ["token"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["securitySchemes"] = new JsonObject
                {
                    ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer", ["description"] = "[Admin] Token, over TCP" },
                },
                ["schemas"] = schemas,
            },
        };
        return JsonSerializer.SerializeToUtf8Bytes(document, AdminJson.Instance.JsonObject);
    }

    private static JsonObject Operation(AdminOperation operation, RouteEndpoint endpoint, JsonObject schemas)
    {
        var parameters = new JsonArray();
        foreach (var part in endpoint.RoutePattern.Parameters)
            parameters.Add((JsonNode)Parameter(new AdminParameter(part.Name, "Its id", "path", IsRequired: true)));
        foreach (var parameter in operation.Parameters)
            parameters.Add((JsonNode)Parameter(parameter));

        JsonNode answer;
        if (operation.Answer is { } answered)
        {
            var type = AdminJson.Instance.GetTypeInfo(answered)!;
            schemas[NameOf(type)] ??= Schema(type);
            answer = Reference(type);
        }
        else
        {
            answer = JsonNode.Parse(operation.AnswerSchema ?? "{}")!;
        }

        var responses = new JsonObject
        {
            [operation.AnswerStatus.ToString(CultureInfo.InvariantCulture)] = new JsonObject
            {
                ["description"] = ReasonPhrases.GetReasonPhrase(operation.AnswerStatus),
                ["content"] = new JsonObject { [operation.AnswerType] = new JsonObject { ["schema"] = answer } },
            },
        };
        foreach (int status in operation.Problems)
            responses[status.ToString(CultureInfo.InvariantCulture)] = Problem(ReasonPhrases.GetReasonPhrase(status));
        responses["default"] = Problem("Any other error");

        var described = new JsonObject
        {
            ["operationId"] = operation.Id,
            ["summary"] = operation.Summary,
            ["parameters"] = parameters,
            ["responses"] = responses,
        };
        if (operation.BodySchema is { } body)
        {
            described["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = JsonNode.Parse(body) } },
            };
        }

        return described;
    }

    private static JsonObject Parameter(AdminParameter parameter)
    {
        var schema = new JsonObject { ["type"] = "string" };
        if (parameter.Allowed is { } allowed)
        {
            var words = new JsonArray();
            foreach (string word in allowed)
                words.Add((JsonNode)word);
            schema["enum"] = words;
        }

        return new JsonObject
        {
            ["name"] = parameter.Name,
            ["in"] = parameter.Place,
            ["required"] = parameter.IsRequired,
            ["description"] = parameter.Description,
            ["schema"] = schema,
        };
    }

    private static JsonObject Problem(string description) => new()
    {
        ["description"] = description,
        ["content"] = new JsonObject
        {
            ["application/problem+json"] = new JsonObject { ["schema"] = Reference(AdminJson.Instance.ProblemView) },
        },
    };

    private static JsonObject Reference(JsonTypeInfo type) => new() { ["$ref"] = $"#/components/schemas/{NameOf(type)}" };

    private static JsonNode Schema(JsonTypeInfo type) => type.GetJsonSchemaAsNode(Export);

    /// <summary>A member that is null is left out, with one exception, whatever its type demands of us.</summary>
    private static JsonNode Loosen(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (context.TypeInfo.Kind != JsonTypeInfoKind.Object || (schema as JsonObject)?["required"] is not JsonArray required)
            return schema;
        foreach (var property in context.TypeInfo.Properties)
        {
            if (!property.IsGetNullable || property.Name == AlwaysThere)
                continue;
            for (int i = required.Count - 1; i >= 0; i--)
            {
                if (required[i]!.GetValue<string>() == property.Name)
                    required.RemoveAt(i);
            }
        }

        return schema;
    }

    private static string NameOf(JsonTypeInfo type) => type.Type.Name;
}
