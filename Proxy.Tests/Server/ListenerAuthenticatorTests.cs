using System.Text;
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
        Assert.That(authenticator.Check(new ClientCredentials("alice", password)).Cause, Is.EqualTo(FailureCause.None));
        Assert.That(authenticator.Parameters.Session, Is.Null);
        Assert.That(authenticator.Check(new ClientCredentials("alice", password + "_session-x")).Cause, Is.EqualTo(FailureCause.None));
        Assert.That(authenticator.Parameters.Session, Is.EqualTo("x"));
    }

    private static FailureCause Check(ListenerAuth auth, string user, string password, string sentUser, string sentPassword) =>
        Authenticator(auth, user, password).Check(new ClientCredentials(Wire(sentUser), Wire(sentPassword))).Cause;

    private static ListenerAuthenticator Authenticator(ListenerAuth auth, string user, string password)
    {
        var options = new ListenerOptions { Name = "main", Auth = auth };
        options.Users[user] = password;
        return new ListenerAuthenticator(new ListenerModel(options, IsolationMode.Client), new UserParametersParser(["random"]));
    }

    /// <summary>UTF-8 as clients send it, one character for each byte as the parsers give it.</summary>
    private static string Wire(string text) => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
}
