using System.Globalization;
using System.Net;
using TorBalancer.Admin.Fetch;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server;
using TorBalancer.Server.Limits;
using TorBalancer.Workers;

namespace TorBalancer.Admin.Explain;

/// <summary>
/// Says what would become of the next connection, and why. It asks those who would decide about that connection, so its answer is theirs;
/// nothing is used up by the question.
/// </summary>
internal sealed class Explainer(
    ProxyServer server, UserParametersParser parser, StreamOpener opener, ConnectPlanner planner, WorkerSelector selector,
    UserTable users, Live<RouteOptions> routes)
{
    /// <summary>The answer, or which parameter is wrong.</summary>
    public (ExplainView? View, FieldProblem? Problem) Explain(in ExplainParameters given)
    {
        var (question, problem) = ExplainQuestion.Read(given, server.Listeners);
        return question is null ? (null, problem) : (Explain(question), null);
    }

    private ExplainView Explain(ExplainQuestion question)
    {
        var listener = question.Listener;
        ClientCredentials? credentials = null;
        var own = UserParameters.None;
        var error = listener.Admits(question.Client);
        if (!error.IsError)
            error = ListenerAuthenticator.Assume(listener, parser, question.User, out credentials, out own);
        var parameters = question.Mode is null ? own : own with { Mode = question.Mode };
        var owner = new ConnectionOwner(listener.Name, question.Client, credentials, parameters)
        {
            Targets = listener.Targets,
            Rights = users.RightsOf(own.KnownUser),
        };
        var request = new ProxyRequest(ClientProtocol.Socks5, ProxyCommand.Connect, question.Target, credentials);
        var (way, plan) = opener.Foresee(request, owner, listener.Mode, listener.Isolation);
        if (!error.IsError)
            error = way.Error;
        if (error.IsError)
            plan = null;
        var forecast = plan is null ? null : selector.Foresee(plan.Selection);
        if (forecast is { Error.IsError: true })
            error = forecast.Error;
        string mode = plan?.Selection.Mode ?? planner.ModeOf(parameters, listener.Mode, owner.Rights);
        bool isSticky = plan is not null && mode == SelectionPolicyNames.Sticky && parameters.Worker is null;
        return new ExplainView
        {
            Target = question.Target.ToString(),
            Listener = listener.Name,
            Port = listener is { SessionPorts: not null, Address: IPEndPoint at } ? at.Port : null,
            Client = question.Client?.ToString() ?? ExplainQuestion.UnixClient,
            Route = way.IsReject ? "reject" : Word(plan?.Route ?? way.Route),
            Rule = way.Rule,
            RouteWhy = WhyRoute(question.Target, way.Rule, way.Error, way.Route, plan?.Route),
            Error = error.IsError ? new ExplainErrorView(error.Word, error.Detail ?? error.Word) : null,
            Mode = mode,
            ModeFrom = ModeFrom(question, own, isOwn: mode != planner.ModeOf(parameters, listener.Mode, null)),
            Isolation = listener.Isolation.ToString().ToLowerInvariant(),
            KeptApartBy = KeptApartBy(listener.Isolation, parameters),
            Session = parameters.Session,
            StickyBy = isSticky ? StickyWord(planner.KeyedBy(request, owner)) : null,
            StickyKey = isSticky ? plan!.Selection.Key.ToString("x16", CultureInfo.InvariantCulture) : null,
            Fresh = plan is { Selection.IsFresh: true },
            LastResort = forecast is { IsLastResort: true },
            Candidates = forecast is null ? [] : [.. forecast.Candidates.Select(one => Of(one, plan!))],
            Chosen = forecast?.Chosen?.Id,
        };
    }

    private static ExplainCandidateView Of(SelectionCandidate candidate, ConnectPlan plan)
    {
        var worker = candidate.Worker;
        return new ExplainCandidateView
        {
            Worker = worker.Id,
            Eligible = candidate.IsEligible,
            Why = candidate.Why,
            Odds = candidate.Odds,
            Route = plan.UsesLink(worker.Model) ? "wireguard" : "socks",
            State = worker.Operational.ToString().ToUpperInvariant(),
            Administrative = worker.Administrative.Word(),
            Weight = worker.Model.Weight,
            Connections = worker.Active,
            ConnectMs = worker.ConnectTimeMs > 0 ? Math.Round(worker.ConnectTimeMs, 1) : null,
            CleanCircuits = worker.Warm?.Clean,
        };
    }

    private string WhyRoute(HostEndPoint target, string? rule, ProxyError error, ClearnetRoute route, ClearnetRoute? planned)
    {
        string why = rule is not null ? $"[Rule:{rule}]"
            : error.IsError ? error.Detail ?? error.Word
            : target.IsOnion ? "onion services are reached by the SocksPort alone"
            : $"[Route] Clearnet = {Word(routes.Value.Clearnet)}";
        return planned is { } taken && taken != route
            ? $"{why}; [Route] Isolated = socks: what a token is to keep apart does not take a link" : why;
    }

    /// <param name="isOwn">The mode that would hold is none that the user may use.</param>
    private static string ModeFrom(ExplainQuestion question, UserParameters own, bool isOwn) =>
        question.Mode is not null ? "request"
        : own.Mode is not null ? "user"
        : own.Session is not null && !(own.IsSessionImplied && question.Listener.Mode is not null) ? "session"
        : isOwn ? "user"
        : question.Listener.Mode is not null ? "listener"
        : "pool";

    /// <summary>The row of docs/isolation.md.</summary>
    private static IReadOnlyList<string> KeptApartBy(IsolationMode isolation, UserParameters parameters)
    {
        bool reaches = isolation is not (IsolationMode.User or IsolationMode.None);
        if (parameters.Session is not null)
            return reaches ? ["listener", "client", "user", "session"] : ["user", "session"];
        return isolation switch
        {
            IsolationMode.None => [],
            IsolationMode.Connection => ["connection"],
            IsolationMode.User => ["user"],
            IsolationMode.Destination => ["listener", "client", "user", "destination"],
            _ => ["listener", "client", "user"],
        };
    }

    private static string Word(ClearnetRoute route) => route.ToString().ToLowerInvariant();

    private static string StickyWord(StickyBy by) => by == StickyBy.Auto ? "session" : by.ToString().ToLowerInvariant();
}
