using System.Net;

namespace TorBalancer.Authentication;

/// <summary>Somebody who says who it is.</summary>
/// <param name="User">Whose secret the password is compared with.</param>
/// <param name="Name">The user's name; of an unknown one what was sent.</param>
/// <param name="IsKnown">False: <paramref name="User"/> only stands in for nobody, and the answer is no.</param>
/// <param name="Password">As it was sent, with parameters perhaps; one character for each byte.</param>
/// <param name="Place">Where it is counted when it is wrong.</param>
internal readonly record struct Login(ListenerUser User, string Name, bool IsKnown, string Password, LoginPlace Place);

/// <summary>Whose wrong passwords are counted together.</summary>
/// <param name="Listener">The listener's name.</param>
/// <param name="Client">Null: it came by a unix socket.</param>
/// <param name="PerMinute">How many of them may be wrong in a minute; 0: any number.</param>
internal readonly record struct LoginPlace(string Listener, IPAddress? Client, int PerMinute);
