using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Server;

namespace TorBalancer.Tests.Server;

public class ListenerAuthenticatorTests
{
    [TestCase(ListenerAuth.Required)]
    [TestCase(ListenerAuth.Optional)]
    public void Check_a_name_beyond_ASCII_is_the_same_name_in_the_file_and_on_the_wire(ListenerAuth auth)
    {
        Assert.That(Check(auth, "jürgen", "schlüssel", "jürgen", "schlüssel"), Is.EqualTo(FailureCause.None));
        Assert.That(Check(auth, "jürgen", "schlüssel", "jürgen", "falsch"), Is.EqualTo(FailureCause.AuthFailed));
    }

    [TestCase("pass_session-key")]
    [TestCase("a_mode-b")]
    public void Check_a_password_that_looks_like_parameters_is_only_a_password(string password)
    {
        var authenticator = Authenticator(ListenerAuth.Required, "alice", password);
        Assert.That(Check(authenticator, "alice", password), Is.EqualTo(FailureCause.None));
        Assert.That(authenticator.Parameters.Session, Is.Null);
        Assert.That(Check(authenticator, "alice", password + "_session-x"), Is.EqualTo(FailureCause.None));
        Assert.That(authenticator.Parameters.Session, Is.EqualTo("x"));
    }

    private static FailureCause Check(ListenerAuth auth, string user, string password, string sentUser, string sentPassword) =>
        Check(Authenticator(auth, user, password), Wire(sentUser), Wire(sentPassword));

    /// <summary>Of passwords in plain text, which are answered at once.</summary>
    private static FailureCause Check(ListenerAuthenticator authenticator, string user, string password)
    {
        Assert.That(authenticator.TryCheck(new ClientCredentials(user, password), out var error), Is.True);
        return error.Cause;
    }

    private static ListenerAuthenticator Authenticator(ListenerAuth auth, string user, string password)
    {
        var options = new ListenerOptions { Name = "main", Auth = auth };
        options.Users[user] = password;
        var failures = new FailedLogins(TimeProvider.System);
        var passwords = new PasswordChecker(
            failures, new PasswordHashing(failures, TimeProvider.System, NullLogger<PasswordHashing>.Instance));
        return new ListenerAuthenticator(
            new ListenerModel(options, IsolationMode.Client), new UserParametersParser(["random"]), passwords);
    }

    /// <summary>UTF-8 as clients send it, one character for each byte as the parsers give it.</summary>
    private static string Wire(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
