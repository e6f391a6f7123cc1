using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>GET /api/v1/openapi.json against the routes that there are, what docs/api.md names, and what is really answered.</summary>
public sealed class OpenApiTests
{
    /// <summary>A command must not do more than it was asked for because a parameter of it is misspelt.</summary>
    [TestCase("DELETE", "/api/v1/blacklist?rely=x", "rely", "there is no such parameter")]
    [TestCase("DELETE", "/api/v1/blacklist?relay=x&relay=y", "relay", "relay is given 2 times")]
    [TestCase("GET", "/api/v1/connections?wroker=a", "wroker", "there is no such parameter")]
    [TestCase("GET", "/api/v1/events?folow=no", "folow", "there is no such parameter")]
    [TestCase("GET", "/api/v1/explain?target=a:80&target=b:80", "target", "target is given 2 times")]
    [TestCase("GET", "/api/v1/explain?target=a:80&Mode=random", "Mode", "there is no such parameter")]
    [CancelAfter(30_000)]
    public async Task Parameter_that_is_not_there_or_is_given_twice_is_refused(
        string method, string path, string field, string detail, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        using var request = new HttpRequestMessage(new HttpMethod(method), admin.Base + path);

        var problem = await AdminUnderTest.ReadAsync(await admin.Client.SendAsync(request, token), HttpStatusCode.BadRequest, token);

        Assert.That(problem.GetProperty("field").GetString(), Is.EqualTo(field));
        Assert.That(problem.GetProperty("detail").GetString(), Is.EqualTo(detail));
        await admin.GetAsync("/api/v1/health?probe=1", token);
    }

    [Test, CancelAfter(30_000)]
    public async Task Every_route_and_every_member_is_described(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var admin = await AdminUnderTest.StartAsync(worker);
        var document = await admin.GetAsync("/api/v1/openapi.json", token);
        Assert.That(document.GetProperty("openapi").GetString(), Is.EqualTo("3.1.0"));
        var described = document.GetProperty("paths").EnumerateObject()
            .SelectMany(static path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"))
            .ToList();
        var routes = admin.Server.Routes.Where(static route => route.RoutePattern.RawText!.StartsWith("/api/", StringComparison.Ordinal))
            .Select(static route => $"{route.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods[0]} {route.RoutePattern.RawText}")
            .ToList();
        Assert.That(described, Is.EquivalentTo(routes));
        Assert.That(described, Has.Count.GreaterThanOrEqualTo(16));
        Assert.That(described, Is.Unique);
        string pages = Architecture.Repository.Text("docs/api.md").Replace("{session}", "{id}", StringComparison.Ordinal);
        foreach (string route in described)
            Assert.That(pages, Does.Contain($"`{route}`"), $"docs/api.md names {route}");

        // Something of everything.
        await using var client = await admin.Proxy.ConnectAsync();
        await SocksClient.RequestAsync(client, "a.example", 80, token, "session-s1-rotate-5", "");
        string id = (await admin.GetAsync("/api/v1/connections", token)).GetProperty("connections")[0].GetProperty("id").GetString()!;
        await CheckAsync("/api/v1/health", "/api/v1/health");
        await CheckAsync("/api/v1/workers", "/api/v1/workers");
        await CheckAsync("/api/v1/connections", "/api/v1/connections");
        await CheckAsync("/api/v1/connections/{id}", $"/api/v1/connections/{id}");
        await CheckAsync("/api/v1/sessions", "/api/v1/sessions");
        await CheckAsync("/api/v1/explain", "/api/v1/explain?target=a.example:80&user=session-x");
        await CheckAsync("/api/v1/blacklist", "/api/v1/blacklist");
        await CheckAsync("/api/v1/config", "/api/v1/config");
        var fetched = await admin.FetchAsync("""{"url": "http://a.example/", "timeout": 1}""", token);
        Check(fetched, Answer("/api/v1/fetch", "post"), "fetch");

        async Task CheckAsync(string path, string url) => Check(await admin.GetAsync(url, token), Answer(path, "get"), path);

        JsonElement Answer(string path, string method) => document.GetProperty("paths").GetProperty(path).GetProperty(method)
            .GetProperty("responses").GetProperty("200").GetProperty("content").GetProperty("application/json").GetProperty("schema");

        void Check(JsonElement value, JsonElement schema, string where)
        {
            if (schema.TryGetProperty("$ref", out var reference))
                schema = document.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]);
            switch (value.ValueKind)
            {
                case JsonValueKind.Object:
                    bool isMap = schema.TryGetProperty("additionalProperties", out var each) && each.ValueKind == JsonValueKind.Object;
                    foreach (var member in value.EnumerateObject())
                    {
                        JsonElement of = each;
                        Assert.That(
                            isMap || schema.GetProperty("properties").TryGetProperty(member.Name, out of), Is.True,
                            $"{where}.{member.Name} is not described");
                        Check(member.Value, of, $"{where}.{member.Name}");
                    }

                    if (schema.TryGetProperty("required", out var required))
                    {
                        foreach (var name in required.EnumerateArray())
                            Assert.That(value.TryGetProperty(name.GetString()!, out _), Is.True, $"{where}.{name} is required and missing");
                    }

                    break;
                case JsonValueKind.Array:
                    foreach (var item in value.EnumerateArray())
                        Check(item, schema.GetProperty("items"), where + "[]");
                    break;
                default:
                    Assert.That(Allows(schema, value.ValueKind), Is.True, $"{where}: {schema} does not allow {value.ValueKind}");
                    break;
            }
        }
    }

    [Test, CancelAfter(30_000)]
    public async Task Configuration_is_told_with_origins_and_without_secrets(CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync([]);
        var config = await admin.GetAsync("/api/v1/config", token);
        Assert.That(config.GetProperty("source").GetString(), Is.EqualTo("t.conf"));
        Assert.That(config.ToString(), Does.Not.Contain("of-the-file"));
        var section = config.GetProperty("sections").EnumerateArray()
            .Single(static one => one.GetProperty("section").GetString() == "Admin");
        var values = section.GetProperty("values").EnumerateArray().ToDictionary(static one => one.GetProperty("key").GetString()!);
        Assert.That(values["Token"].GetProperty("value").GetString(), Is.EqualTo("(hidden)"));
        Assert.That(values["Token"].GetProperty("origin").GetString(), Is.EqualTo("t.conf:2"));
        Assert.That(values["Token"].GetProperty("default").GetBoolean(), Is.False);
        Assert.That(values["Token"].GetProperty("secret").GetBoolean(), Is.True);
        Assert.That(values["Address"].GetProperty("value").GetString(), Is.EqualTo("127.0.0.1:1081"));
        Assert.That(values["Address"].GetProperty("origin").GetString(), Is.EqualTo("built-in defaults"));
        var blank = await admin.Client.DeleteAsync(admin.Base + "/api/v1/blacklist?relay=0123", token);
        await AdminUnderTest.ReadAsync(blank, HttpStatusCode.BadRequest, token);
        var nobody = await admin.Client.DeleteAsync(admin.Base + "/api/v1/blacklist?relay=$" + new string('A', 40) + "~nick", token);
        await AdminUnderTest.ReadAsync(nobody, HttpStatusCode.NotFound, token);
    }

    private static bool Allows(JsonElement schema, JsonValueKind kind)
    {
        if (!schema.TryGetProperty("type", out var type))
            return true;
        IEnumerable<JsonElement> types = type.ValueKind == JsonValueKind.Array ? type.EnumerateArray() : [type];
        var words = types.Select(static one => one.GetString());
        return words.Any(word => kind switch
        {
            JsonValueKind.String => word == "string",
            JsonValueKind.Number => word is "number" or "integer",
            JsonValueKind.True or JsonValueKind.False => word == "boolean",
            JsonValueKind.Null => word == "null",
            _ => false,
        });
    }
}
