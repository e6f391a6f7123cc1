using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using TorBalancer.Admin;
using TorBalancer.Admin.Explain;
using TorBalancer.Balancing;

namespace TorBalancer.Daemon.Admin;

/// <summary>The paths by which an operator sees what the daemon does and why, and ends single things: see docs/api.md.</summary>
internal sealed class AdminSteeringRoutes(AdminServices services)
{
    private static readonly string[] Read = ["GET", "HEAD"];
    private static readonly string[] Delete = ["DELETE"];

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/api/v1/explain", Read, ExplainAsync).WithMetadata(
            new AdminOperation("explain", "What would become of the next connection to a target, and why")
            {
                Answer = typeof(ExplainView),
                Parameters =
                [
                    new AdminParameter("target", "host:port", IsRequired: true),
                    new AdminParameter("user", "The user name that the client sends; left out: none"),
                    new AdminParameter("client", "The client's IP address, or unix; left out: 127.0.0.1"),
                    new AdminParameter(
                        "listener", "The listener's name, or name:port for one of its ports that are sessions; left out: the first"),
                    new AdminParameter("mode", "A balancing mode instead of the one in force", Allowed: SelectionPolicyNames.All),
                ],
                Problems = [StatusCodes.Status400BadRequest],
            });
        routes.MapMethods("/api/v1/connections/{id}", Read, FindAsync).WithMetadata(
            new AdminOperation("getConnection", "One live connection, or one of the last that ended: its attempts, circuit and exit")
            {
                Answer = typeof(ConnectionDetailView),
                Problems = [StatusCodes.Status404NotFound],
            });
        routes.MapMethods("/api/v1/connections/{id}", Delete, CloseAsync).WithMetadata(
            new AdminOperation("closeConnection", "Ends a live connection; the answer is what it was")
            {
                Answer = typeof(ConnectionDetailView),
                Problems = [StatusCodes.Status404NotFound],
            });
        routes.MapMethods(
            "/api/v1/blacklist", Read,
            context => context.WriteJsonAsync(services.Blacklist.All(), AdminJson.Instance.BlacklistedRelaysView))
            .WithMetadata(new AdminOperation("getBlacklist", "The exits that workers avoid now, and why")
            {
                Answer = typeof(BlacklistedRelaysView),
            });
        routes.MapMethods("/api/v1/blacklist", Delete, ForgiveAsync).WithMetadata(
            new AdminOperation("forgiveRelays", "Uses exits again that are avoided")
            {
                Answer = typeof(BlacklistRemovalView),
                Parameters = [new AdminParameter("relay", "Only this one: its fingerprint, or $FINGERPRINT~nickname")],
                Problems = [StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound],
            });
        routes.MapMethods(
            "/api/v1/config", Read, context => context.WriteJsonAsync(services.Configuration(), AdminJson.Instance.ConfigView))
            .WithMetadata(new AdminOperation("getConfig", "Every value of the configuration that holds, with its origin")
            {
                Answer = typeof(ConfigView),
            });
    }

    private Task ExplainAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var (view, problem) = services.Explainer.Explain(
            new ExplainParameters(One("target"), One("user"), One("client"), One("listener"), One("mode")));
        return view is not null
            ? context.WriteJsonAsync(view, AdminJson.Instance.ExplainView)
            : context.WriteProblemAsync(StatusCodes.Status400BadRequest, problem!.Detail, problem.Field, problem.Allowed);

        string? One(string name) => query[name] is { Count: > 0 } values ? values[0] : null;
    }

    private Task FindAsync(HttpContext context)
    {
        string id = (string)context.Request.RouteValues["id"]!;
        return services.Views.Connections.Find(id) is { } view
            ? context.WriteJsonAsync(view, AdminJson.Instance.ConnectionDetailView)
            : context.WriteProblemAsync(
                StatusCodes.Status404NotFound,
                $"no connection is known as '{id}': ids are as in the log, c123, and few of those that ended are kept");
    }

    private Task CloseAsync(HttpContext context)
    {
        string id = (string)context.Request.RouteValues["id"]!;
        if (services.Commands.Close(id) is { } view)
            return context.WriteJsonAsync(view, AdminJson.Instance.ConnectionDetailView);
        return context.WriteProblemAsync(
            StatusCodes.Status404NotFound,
            services.Views.Connections.Find(id) is null ? $"no connection is known as '{id}'" : $"connection {id} has ended already");
    }

    private Task ForgiveAsync(HttpContext context)
    {
        if (context.Request.Query["relay"] is not { Count: > 0 } given)
            return context.WriteJsonAsync(new(services.Commands.Forgive(null)), AdminJson.Instance.BlacklistRemovalView);
        string fingerprint = given[0]!.TrimStart('$').Split('~')[0].ToUpperInvariant();
        if (fingerprint.Length != 40 || !fingerprint.All(char.IsAsciiHexDigit))
        {
            return context.WriteProblemAsync(
                StatusCodes.Status400BadRequest, "relay must be a fingerprint of 40 hexadecimal digits, or $FINGERPRINT~nickname", "relay");
        }

        return services.Commands.Forgive(fingerprint) is > 0 and var removed
            ? context.WriteJsonAsync(new(removed), AdminJson.Instance.BlacklistRemovalView)
            : context.WriteProblemAsync(StatusCodes.Status404NotFound, $"relay {fingerprint} is not avoided by any worker");
    }
}
