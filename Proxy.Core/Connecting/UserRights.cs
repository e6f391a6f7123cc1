using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Connecting;

/// <summary>What a user may ask for: Modes, Workers and Countries of [User:name].</summary>
internal sealed class UserRights
{
    private readonly string _section;
    private readonly string[] _modes, _workers, _countries;

    private UserRights(UserOptions options)
    {
        _section = $"[User:{options.Name}]";
        (_modes, _workers, _countries) = ([.. options.Modes], [.. options.Workers], [.. options.Countries]);
        Choice = _workers.Length + _countries.Length == 0 ? null : new WorkerChoice(_workers, _countries);
    }

    /// <summary>The workers that may carry its connections; null: all.</summary>
    public WorkerChoice? Choice { get; }

    /// <summary>Null: it may ask for anything.</summary>
    public static UserRights? Of(UserOptions options) =>
        options.Modes.Count + options.Workers.Count + options.Countries.Count == 0 ? null : new UserRights(options);

    /// <summary>What it asks for and may not have; no error: nothing.</summary>
    public ProxyError Check(UserParameters parameters)
    {
        string? mode = parameters.Mode ?? (parameters.Session is null || parameters.IsSessionImplied ? null : SelectionPolicyNames.Sticky);
        if (mode is not null && _modes.Length > 0 && !_modes.Contains(mode))
            return Denied(parameters.Mode is null ? "a session is of mode sticky, which is" : "the mode that was asked for is", "Modes");
        if (parameters.Worker is { } worker && _workers.Length > 0 && !_workers.Contains(worker, StringComparer.OrdinalIgnoreCase))
            return Denied("the worker that was asked for is", "Workers");
        return parameters.Country is { } country && _countries.Length > 0 && !_countries.Contains(country)
            ? Denied("the country that was asked for, or that the listener has, is", "Countries")
            : default;
    }

    /// <summary>The mode of a connection that asks for none.</summary>
    public string ModeOf(string inForce) => _modes.Length == 0 || _modes.Contains(inForce) ? inForce : _modes[0];

    private ProxyError Denied(string what, string key) => new(FailureCause.UserNotPermitted, $"{what} not in {_section} {key}");
}
