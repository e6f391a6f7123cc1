using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Interop;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server;

namespace TorBalancer.Tests.Authentication;

/// <summary>What a listener's connections ask about passwords, with a clock by hand for bounds and waits.</summary>
internal sealed class PasswordsUnderTest : IDisposable
{
    private readonly UserParametersParser _parser = new(["random"]);

    public PasswordsUnderTest(TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        Failures = new FailedLogins(time);
        Hashing = new PasswordHashing(Failures, time, NullLogger<PasswordHashing>.Instance);
        Checker = new PasswordChecker(Failures, Hashing);
    }

    public FailedLogins Failures { get; }

    public PasswordHashing Hashing { get; }

    public PasswordChecker Checker { get; }

    /// <summary>The hash of a password, as cheap as the kind allows unless a cost is given.</summary>
    public static string Hash(string password, string prefix = "$2y$", int cost = 4) =>
        CryptCalls.Hash(Encoding.UTF8.GetBytes(password), CryptCalls.NewSetting(prefix, cost)!)!;

    public static ListenerModel Listener(string name, int failedLogins, params (string User, string Secret)[] users)
    {
        var options = new ListenerOptions { Name = name, Auth = ListenerAuth.Required, FailedLogins = failedLogins };
        foreach (var (user, secret) in users)
            options.Users.Add(user, secret);
        return new ListenerModel(options, IsolationMode.Client);
    }

    /// <summary>As a connection of its own.</summary>
    public ListenerAuthenticator Connect(ListenerModel listener, string client = "192.0.2.1") =>
        new(listener, _parser, Checker, IPAddress.Parse(client));

    /// <summary>What a new connection is told, and whether that was known at once.</summary>
    public async Task<(FailureCause Cause, bool AtOnce)> LogInAsync(
        ListenerModel listener, string user, string password, CancellationToken token, string client = "192.0.2.1")
    {
        var connection = Connect(listener, client);
        var credentials = new ClientCredentials(Wire(user), Wire(password));
        if (connection.TryCheck(credentials, out var error))
            return (error.Cause, true);
        return ((await connection.CheckAsync(credentials, token)).Cause, false);
    }

    public void Dispose() => Hashing.Dispose();

    /// <summary>UTF-8 as clients send it, one character for each byte as the parsers give it.</summary>
    private static string Wire(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
