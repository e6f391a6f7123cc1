using TorBalancer.Configuration.Advice;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Configuration.Reading;

/// <summary>
/// Puts what the layers give into options, row by row of the schema, and completes what several keys decide together. The rules
/// behind it change nothing of them.
/// </summary>
internal sealed class OptionsBinder(
    ConfigurationSchema schema, LayerReader layers, ValuePlaces places, IConfigurationFiles files, ConfigurationIssues issues)
{
    private readonly GivenValues _given = layers.Given;
    private readonly RefusedValues _refused = new(layers.Given, issues);

    /// <summary>The options; where a value was refused, its key has the default, or what could be understood of it.</summary>
    /// <param name="parts">Without the proxy's, no file that its listeners or the admin API name is read.</param>
    public TorBalancerOptions Bind(ConfigurationParts parts = ConfigurationParts.All)
    {
        var options = new TorBalancerOptions();
        Fill(schema.Admin, options.Admin);
        if (parts.HasFlag(ConfigurationParts.Proxy))
            new AdminCompletion(_given, files, issues).Complete(options.Admin);
        Fill(schema.Dns, options.Dns);
        Fill(schema.Balancing, options.Balancing);
        Fill(schema.Circuits, options.Circuits);
        Fill(schema.Connect, options.Connect);
        Fill(schema.Readiness, options.Readiness);
        Fill(schema.Tunnel, options.Tunnel);
        Fill(schema.Engine, options.Engine);
        Fill(schema.Health, options.Health);
        Fill(schema.Alerts, options.Alerts);
        Fill(schema.Blacklist, options.Blacklist);
        Fill(schema.Route, options.Route);
        Fill(schema.Log, options.Log);
        Fill(schema.Discovery, options.Discovery);
        Fill(schema.ManagedWorkers, options.ManagedWorkers);
        Fill(schema.Publisher, options.Publisher);
        ShortenTimeouts(options.Connect);
        CountWorkers(options.ManagedWorkers);
        if (parts.HasFlag(ConfigurationParts.Proxy))
            AddListeners(options);
        foreach (var section in layers.Sections.Of(schema.User))
        {
            var user = new UserOptions { Name = section.Name };
            Fill(schema.User, user, section.Path);
            options.Users.Add(user);
        }

        AddOnionServices(options);
        foreach (var section in layers.Sections.Of(schema.Rule))
        {
            var rule = new RuleOptions { Name = section.Name };
            Fill(schema.Rule, rule, section.Path);
            options.Route.Rules.Add(rule);
        }

        var workers = new WorkerCompletion(_given, issues);
        foreach (var section in layers.Sections.Of(schema.Worker))
        {
            var draft = new WorkerDraft(section.Name);
            Fill(schema.Worker, draft, section.Path);
            workers.Complete(draft, section.Path);
            options.Workers.Add(draft.Options);
        }

        return options;
    }

    private void AddOnionServices(TorBalancerOptions options)
    {
        foreach (var section in layers.Sections.Of(schema.OnionService))
        {
            var service = new OnionServiceOptions { Name = section.Name };
            Fill(schema.OnionService, service, section.Path);
            options.OnionServices.Add(service);
        }

        foreach (var section in layers.Sections.Of(schema.Instance))
        {
            string[] names = section.Name.Split('/', 2);
            var instance = new InstanceOptions { Service = names[0], Name = names[1] };
            Fill(schema.Instance, instance, section.Path);
            options.Instances.Add(instance);
        }
    }

    private void AddListeners(TorBalancerOptions options)
    {
        var listeners = new ListenerCompletion(_given, files, issues);
        foreach (var section in layers.Sections.Of(schema.Listener))
        {
            var draft = new ListenerDraft(section.Name);
            Fill(schema.Listener, draft, section.Path);
            listeners.Complete(draft, section.Path);
            options.Listeners.Add(draft.Options);
        }

        if (options.Listeners.Count == 0)
            options.Listeners.Add(new ListenerOptions { Name = "main" });
    }

    /// <summary>
    /// Who only shortens Timeout means the others too: their defaults shrink with it. One that is given is left as it is, and
    /// judged.
    /// </summary>
    private void ShortenTimeouts(ConnectOptions connect)
    {
        string section = schema.Connect.Name;
        if (connect.AttemptTimeout > connect.Timeout && !_given.IsSet(section, "AttemptTimeout"))
            connect.AttemptTimeout = connect.Timeout;
        if (connect.WorkerTimeout > connect.Timeout && !_given.IsSet(section, "WorkerTimeout"))
            connect.WorkerTimeout = connect.Timeout;
    }

    /// <summary>Who says where their exits are says how many there are.</summary>
    private void CountWorkers(ManagedWorkersOptions managed)
    {
        if (managed.Countries.Count > 0 && !_given.IsSet(schema.ManagedWorkers.Name, "Count"))
            managed.Count = managed.Countries.Sum(static share => share.Count);
    }

    private void Fill<TTarget>(SchemaSection<TTarget> section, TTarget target, string? path = null)
    {
        path ??= section.Name;
        foreach (var row in section.Rows)
        {
            if (_given.Find(path, row.Name) is not { IsSet: true } value || _given.AnyFailed(path, row.Name))
                continue;
            string text = value.Text.Trim();
            var context = places.Of(value.Origin.Layer, value.IsQuoted);
            if (row.Apply(target, text, context) is { } problem)
                _refused.Add(path, row, text, value.Origin, row.IsSecret ? problem : ValueAdvice.Improve(row, text, context, problem));
        }
    }
}
